//! A distinctive part of each error message and notice.

#![expect(missing_docs, reason = "each constant is a part of a message and explains itself")]

// Framing.
pub const TWO_ENDS: &str = "something was appended, or its comment holds another one";
pub const AFTER_END: &str = "something was appended, or its comment holds another one";
pub const BEFORE_START: &str = "it does not begin with its first entry";
pub const ENTRY_COMMENT: &str = "it has a comment";
pub const NO_END: &str = "it has no end of central directory record";
pub const DIRECTORY_PLACE: &str = "its central directory is not where its end record says";
pub const TOO_FEW: &str = "its central directory is longer than its entries";
pub const TOO_MANY_SAID: &str = "its central directory is cut off";
pub const ENTRY_DISK: &str = "it is on another disk";
pub const ZIP64_MISSING: &str = "refers to a ZIP64 record that does not exist";
pub const STREAM_CUT: &str = "its DEFLATE stream is cut off";
pub const STORED_SIZES: &str = "it is stored, but its two sizes differ";
pub const NAME_ENCODING: &str = "its name is not ASCII and not marked as UTF-8";
pub const DISKS: &str = "several disks";
pub const GAP: &str = "belong to no entry of its central directory";
pub const NO_LOCAL: &str = "its local header is not where the directory says";
pub const ZIP64_LOCATOR: &str = "its ZIP64 locator points elsewhere";
pub const ZIP64_DISAGREES: &str = "its ZIP64 end record disagrees with the plain one";
pub const OTHER_DISK: &str = "it is on another disk";
pub const ZIP64_EXTRA: &str = "its ZIP64 extra field does not match its header";
pub const EXTRA_CUT: &str = "extra field is cut off";
pub const UNICODE_PATH: &str = "its extra field gives it another name";
pub const OVERLAP: &str = "it overlaps with what comes after it";
pub const LOCAL_NAME: &str = "its local header has another name";
pub const LOCAL_DIFFERS: &str = "its local header has another";
pub const DESCRIPTOR: &str = "its data descriptor is wrong";
pub const FOLDER_CONTENT: &str = "it is a folder with content";
pub const CUT: &str = "cut off";

// Content.
pub const CRC: &str = "CRC";
pub const SIZE: &str = "its size does not match";
pub const STREAM: &str = "cannot be inflated";
pub const STREAM_TAIL: &str = "its DEFLATE stream ends before its content does";
pub const METHOD: &str = "0 (stored) and 8 (DEFLATE) are supported";
pub const ENCRYPTED: &str = "encrypted";
pub const PATCHED: &str = "it has unusual flags: 0x0020";
pub const VERSION_NEEDED: &str = "it needs a newer version of ZIP than 4.5";
pub const TOO_MANY: &str = "it has more than 65,534 entries";
pub const TOO_LARGE: &str = "the limit is 2147483648";
pub const RATIO: &str = "it unpacks to more than 500 times its size";

// Names.
pub const DOTS: &str = "it contains a part . or ..";
pub const ABSOLUTE: &str = "it is absolute";
pub const DRIVE: &str = "drive letter";
pub const BACKSLASH: &str = "backslash";
pub const CONTROL: &str = "control character";
pub const BIDIRECTIONAL: &str = "it contains a character that changes the direction of text";
pub const NOT_UTF8: &str = "it is not UTF-8";
pub const EMPTY_PART: &str = "a part of it is empty";
pub const LONG_PART: &str = "longer than 255 bytes";
pub const LONG_NAME: &str = "longer than 4,000 bytes";
pub const DUPLICATE: &str = "two entries have this name, and they differ";
pub const FILE_AND_FOLDER: &str = "it is below a file";
pub const SYMLINK: &str = "it is neither a plain file nor a folder";
pub const SPECIAL_FILE: &str = "it is neither a plain file nor a folder";

// The rules of wheels.
pub const UNLISTED: &str = "RECORD does not list ";
pub const LISTED_MISSING: &str = "which is not in the wheel";
pub const RECORD_PATH: &str = "RECORD, line";
pub const RECORD_HASH: &str = "RECORD has another hash for ";
pub const RECORD_SIZE: &str = "RECORD has another size for ";
pub const NOT_SHA256: &str = "RECORD has no hash of SHA-256 or better for ";
pub const NOT_A_SIZE: &str = "that is not a number";
pub const CONTRADICTION: &str = "RECORD has two different lines for ";
pub const WITHOUT_HASH: &str = "RECORD has no hash for ";
pub const NO_RECORD: &str = "it has no sample-1.0.dist-info/RECORD";
pub const SECOND_DIST_INFO: &str = "a second .dist-info folder";
pub const DIST_INFO_COUNT: &str = ".dist-info folders instead of one";
pub const OTHER_DISTRIBUTION: &str = "does not match its file name";
pub const METADATA_DISAGREES: &str = "METADATA";
pub const WHEEL_VERSION: &str = "its Wheel-Version is";
pub const DATA_SCHEME: &str = "a .data folder may hold only";
pub const DATA_CONFLICT: &str = "are both installed as";
pub const ENTRY_POINT: &str = "entry_points.txt, line";
pub const TAR: &str = "it is also a tar archive";

// Notices.
pub const NOTICE_REPEATED: &str = "more than once, the same each time";
pub const NOTICE_HASHES: &str = "hashes in hexadecimal or plain Base64";
pub const NOTICE_PATHS: &str = "paths that begin with ./ or /";
pub const NOTICE_FIELDS: &str = "its METADATA has more than one ";
pub const NOTICE_HEADERS: &str = "its METADATA is not a header";
pub const NOTICE_COLLISION: &str = "collide on file systems";
pub const NOTICE_VERSION: &str = "Wheel-Version is 1.9";
pub const NOTICE_PTH: &str = "does nothing in a layer";
pub const NOTICE_SHADOW: &str = "has the name of a standard library module";
