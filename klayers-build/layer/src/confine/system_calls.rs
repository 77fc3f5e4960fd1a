//! A filter of system calls: limits the sockets that a process may create, and keeps the process in
//! its group so that it can be killed.
//!
//! Landlock restricts TCP, and named sockets only since Linux 7.1. Some kinds of sockets, such as
//! those of virtual machines, belong to no network namespace. So the filter forbids creating them.

use std::collections::BTreeMap;
use std::io;
use std::thread;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use super::plan::{Allowed, Internet};

const EPERM: u32 = 1;
const UNIX: u64 = 1;
const INTERNET: [u64; 2] = [2, 10];
/// For asking the kernel about the process's own network.
const NETLINK: u64 = 16;
const STREAM: u64 = 1;
/// The socket types other than streams. Flags occupy the bits above.
const OTHER_TYPES: [u64; 6] = [2, 3, 4, 5, 6, 10];
const TYPE_MASK: u64 = 0xf;
const TCP: u64 = 6;
/// The same number on all processors. `io_uring` performs other system calls without passing the
/// filter.
const IO_URING_SETUP: i64 = 425;

/// The numbers of system calls, which differ between processors.
struct Numbers {
    socket: i64,
    setsid: i64,
    setpgid: i64,
}

impl Numbers {
    fn of_this_machine() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self { socket: 41, setsid: 112, setpgid: 109 }),
            "aarch64" => Some(Self { socket: 198, setsid: 157, setpgid: 154 }),
            _ => None,
        }
    }
}

/// Whether this kernel supports filters, found by applying one to a thread that does nothing else.
pub(super) fn works() -> bool {
    let nothing = Allowed { named_sockets: false, internet: Internet::None, detach: false };
    thread::spawn(move || filter(nothing).is_ok()).join().unwrap_or(false)
}

/// Filters the system calls of this thread and of the programs that it starts, permanently.
pub(super) fn filter(allowed: Allowed) -> io::Result<()> {
    let numbers = Numbers::of_this_machine().ok_or(io::ErrorKind::Unsupported)?;
    let mut rules = BTreeMap::from([
        (IO_URING_SETUP, Vec::new()),
        (numbers.socket, refused_sockets(allowed).map_err(io::Error::other)?),
    ]);
    if !allowed.detach {
        rules.extend([(numbers.setsid, Vec::new()), (numbers.setpgid, Vec::new())]);
    }
    let program = || -> Result<BpfProgram, seccompiler::BackendError> {
        let machine = std::env::consts::ARCH.try_into()?;
        let (other, refused) = (SeccompAction::Allow, SeccompAction::Errno(EPERM));
        SeccompFilter::new(rules, other, refused, machine)?.try_into()
    };
    let program = program().map_err(io::Error::other)?;
    rustix::thread::set_no_new_privs(true)?;
    apply_filter(&program).map_err(io::Error::other)
}

/// Returns the forbidden combinations of arguments of `socket`: family, type and protocol.
fn refused_sockets(allowed: Allowed) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let is = |argument, operator, value| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
    };
    let mut families = vec![NETLINK];
    if allowed.named_sockets {
        families.push(UNIX);
    }
    if allowed.internet != Internet::None {
        families.extend(INTERNET);
    }
    let other = families.into_iter().map(|family| is(0, SeccompCmpOp::Ne, family));
    let mut rules = vec![SeccompRule::new(other.collect::<Result<_, _>>()?)?];
    if allowed.internet == Internet::Tcp {
        for family in INTERNET {
            for kind in OTHER_TYPES {
                let masked = SeccompCmpOp::MaskedEq(TYPE_MASK);
                let conditions = vec![is(0, SeccompCmpOp::Eq, family)?, is(1, masked, kind)?];
                rules.push(SeccompRule::new(conditions)?);
            }
            // Landlock's TCP rules do not cover streams of other protocols, such as SCTP.
            let stream = is(1, SeccompCmpOp::MaskedEq(TYPE_MASK), STREAM)?;
            let protocol = [is(2, SeccompCmpOp::Ne, 0)?, is(2, SeccompCmpOp::Ne, TCP)?];
            let mut conditions = vec![is(0, SeccompCmpOp::Eq, family)?, stream];
            conditions.extend(protocol);
            rules.push(SeccompRule::new(conditions)?);
        }
    }
    Ok(rules)
}
