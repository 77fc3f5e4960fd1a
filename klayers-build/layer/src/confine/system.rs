//! The parts of the system that every program sees.

/// Folders with programs and libraries. Those that are symbolic links on most systems stay links.
pub(super) const FOLDERS: [&str; 9] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"];

/// Configuration that libraries read and that is not private. `/etc/ssl` as a whole is not included
/// since it holds private keys.
pub(super) const SETTINGS: [&str; 26] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/java",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/system-release",
    "/etc/timezone",
];

/// Devices that store and reveal nothing.
pub(super) const DEVICES: [&str; 5] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Files below the system's `/proc` that are readable where a program has no `/proc` of its own.
/// `/proc/self` is added to these.
pub(super) const PROC: [&str; 9] = [
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/vm/overcommit_memory",
    "/proc/uptime",
    "/proc/version",
];

/// Small files that are written into a program's own root, so that they reveal nothing about this
/// machine. The user is that of a Lambda function.
pub(super) const WRITTEN: [(&str, &str); 3] = [
    ("/etc/passwd", "sbx_user1051:x:0:0::/home/sbx_user1051:/sbin/nologin\n"),
    ("/etc/group", "sbx_user1051:x:0:\n"),
    ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
];

/// A home folder that exists neither on this machine nor in Lambda.
pub(crate) const NO_HOME: &str = "/home/sbx_user1051";
