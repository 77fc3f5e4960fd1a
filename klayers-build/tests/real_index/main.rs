//! Layers of real packages, held against what `uv` installs and what Python makes of them.
//!
//! This is the one test binary of this crate that uses the real package index: the one that `uv`
//! is configured to use, by default or by its own files and variables. All others need no network.
//! To leave it out: `cargo nextest run -E 'not binary(real_index)'`.
//!
//! It needs `uv` on `PATH`, as `make test` has it, and fetches some 300 MB of wheels the first
//! time; they are kept in Cargo's target folder. Layers are imported under a Python 3.12 of this
//! machine: the one that `KLAYERS_PYTHON_3_12` names, `python3.12` on `PATH`, or one of pyenv's.
//! Without one, the importing is left out, and a line that begins with `SKIPPED` says so; the rest
//! is done all the same.

mod installed;
mod layer;
mod packages;
mod python;
mod resolve;
mod same_bytes;
mod sdists;
mod tools;
