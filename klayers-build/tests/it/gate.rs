//! The gate: native libraries and imports.

pub(crate) mod elf;
mod imports;
mod in_doubt;
mod judging;
mod namespaces;
mod native;
mod native_library;
mod report;
mod unusual;
