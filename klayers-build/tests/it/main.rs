//! What crosses modules, on real files and real sockets.

mod conformance;
mod samples;
mod sqlite_catalog;
