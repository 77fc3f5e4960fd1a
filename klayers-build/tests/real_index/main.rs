//! Compares layers of real packages with installations by `uv`, and uses them in Python.
//!
//! Only this test binary of the crate uses the real package index: the one that `uv` is configured
//! to use, by default or by its own files and variables. All others need no network. To leave it
//! out: `cargo nextest run -E 'not binary(real_index)'`.
//!
//! It needs `uv` on `PATH`, as in `make test`, and downloads about 300 MB of wheels the first time,
//! which are cached in Cargo's target folder. Layers are imported with a Python 3.12 of this
//! machine: the one that `KLAYERS_PYTHON_3_12` names, `python3.12` on `PATH`, or one of pyenv.
//! Without one, the imports are skipped, a line that begins with `SKIPPED` says so, and all other
//! checks still run.

mod installed;
mod layer;
mod packages;
mod python;
mod resolve;
mod same_bytes;
mod sdists;
mod tools;
