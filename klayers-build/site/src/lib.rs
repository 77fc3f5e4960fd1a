//! The public site of a collection as values: its addresses, and the document at each of them.
//!
//! [`render`] reads a [`Document`] from a catalog. [`stale_addresses`] lists the addresses whose
//! documents a change of the catalog makes stale, so that a server and a static copy render only
//! those again. Both use this crate, so both have the same bytes.

pub mod export;
pub mod page;
pub mod serve;

mod address;
mod document;
mod feed;
mod gzip;
mod list;
mod listed_layers;
mod openapi;
mod order;
mod render;
mod stale;

pub use address::{Address, AddressError};
pub use document::Document;
pub use listed_layers::ListedLayers;
pub use render::{Rendered, empty_document, render, static_document};
pub use stale::stale_addresses;
