//! `klayers-pipeline adopt`.
