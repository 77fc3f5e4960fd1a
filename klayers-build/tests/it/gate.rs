//! The gate: native libraries, and importing.

mod elf;
mod imports;
mod native;
mod native_library;
mod report;
