//! What the refusals say, in one place: a distinctive part of each message.

#![expect(missing_docs, reason = "each is a part of a message, and says itself what it is about")]

// Framing.
pub const TWO_ENDS: &str = "two end records";
pub const AFTER_END: &str = "bytes after its end record";
pub const BEFORE_START: &str = "bytes before its first entry";
pub const ENTRY_COMMENT: &str = "it has a comment";
pub const NO_END: &str = "it has no end record";
pub const DIRECTORY_PLACE: &str = "its directory is not where its end record says";
pub const ENTRY_COUNT: &str = "number of entries";
pub const DISKS: &str = "several disks";
pub const GAP: &str = "bytes that belong to no entry";
pub const NO_LOCAL: &str = "its local header is not where the directory says";
pub const ZIP64_LOCATOR: &str = "ZIP64 locator points elsewhere";
pub const ZIP64_DISAGREES: &str = "ZIP64 end record disagrees";
pub const ZIP64_EXTRA: &str = "ZIP64 extra field";
pub const EXTRA_CUT: &str = "extra field is cut off";
pub const UNICODE_PATH: &str = "Unicode path";
pub const OVERLAP: &str = "overlap";
pub const LOCAL_NAME: &str = "local header has another name";
pub const LOCAL_DIFFERS: &str = "local header differs";
pub const DESCRIPTOR: &str = "data descriptor";
pub const FOLDER_CONTENT: &str = "folder with content";
pub const CUT: &str = "cut off";

// Content.
pub const CRC: &str = "CRC";
pub const SIZE: &str = "size is not what";
pub const STREAM: &str = "cannot be inflated";
pub const STREAM_TAIL: &str = "bytes after its stream";
pub const METHOD: &str = "another way than DEFLATE";
pub const ENCRYPTED: &str = "encrypted";
pub const PATCHED: &str = "patched";
pub const VERSION_NEEDED: &str = "version of ZIP";
pub const TOO_MANY: &str = "65,535";
pub const TOO_LARGE: &str = "2 GiB";
pub const RATIO: &str = "1,200";

// Names.
pub const DOTS: &str = "it contains a part . or ..";
pub const ABSOLUTE: &str = "it is absolute";
pub const DRIVE: &str = "drive letter";
pub const BACKSLASH: &str = "backslash";
pub const CONTROL: &str = "control character";
pub const BIDIRECTIONAL: &str = "bidirectional";
pub const NOT_UTF8: &str = "it is not UTF-8";
pub const EMPTY_PART: &str = "a part of it is empty";
pub const LONG_PART: &str = "longer than 255 bytes";
pub const DUPLICATE: &str = "two of this name";
pub const FILE_AND_FOLDER: &str = "a file and a folder";
pub const SYMLINK: &str = "symbolic link";
pub const SPECIAL_FILE: &str = "neither a file nor a folder";

// The rules of wheels.
pub const UNLISTED: &str = "it is not in RECORD";
pub const LISTED_MISSING: &str = "there is no such file";
pub const RECORD_PATH: &str = "RECORD, line";
pub const RECORD_HASH: &str = "SHA-256 is not what RECORD says";
pub const RECORD_SIZE: &str = "size is not what RECORD says";
pub const NOT_SHA256: &str = "is not a SHA-256 hash";
pub const WITHOUT_HASH: &str = "has no SHA-256";
pub const NO_RECORD: &str = "it has no sample-1.0.dist-info/RECORD";
pub const DIST_INFO_COUNT: &str = ".dist-info folders instead of one";
pub const OTHER_DISTRIBUTION: &str = "does not go with its file name";
pub const METADATA_DISAGREES: &str = "METADATA";
pub const WHEEL_VERSION: &str = "its Wheel-Version is";
pub const DATA_SCHEME: &str = "a .data folder may hold";
pub const DATA_CONFLICT: &str = "same place";
pub const ENTRY_POINT: &str = "entry_points.txt, line";
pub const TAR: &str = "tar";

// What is noticed.
pub const NOTICE_COLLISION: &str = "differ only in";
pub const NOTICE_VERSION: &str = "Wheel-Version is 1.9";
pub const NOTICE_PTH: &str = ".pth";
pub const NOTICE_SHADOW: &str = "standard library";
