//! Tests of what crosses modules.

mod assemble;
mod support;
