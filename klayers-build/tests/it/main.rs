//! What crosses modules, on real files and real sockets.

#![expect(clippy::unwrap_used, reason = "a test that fails may say so in the shortest way")]
#![expect(clippy::similar_names, reason = "what a publisher published is called so")]

mod accepted_records;
mod adopting;
mod assemble;
mod aws_support;
mod bad_input;
mod bad_wheels;
mod builder;
mod bytecode;
mod chaos;
mod collisions;
mod command_build;
mod command_import;
mod command_report;
mod command_run;
mod command_verify;
mod confinement;
mod conformance;
mod expiry;
mod export;
mod fetch;
mod flipped_bytes;
mod folder_artifacts;
mod folder_publisher;
mod fuzz_seeds;
mod gate;
mod lambda_publisher;
mod leases;
mod mangled_wheels;
mod notify;
mod planning;
mod pointers;
mod publishing;
mod reconciliation;
mod resolve_faults;
mod samples;
mod sdists;
mod serve;
mod settling;
mod silence;
mod slimming;
mod sqlite_catalog;
mod support;
mod too_large;
mod verify;
mod withdrawal;
