//! The public face of a collection as values: every address, and the document that stands there.
//!
//! A [`Document`] is read from a catalog by [`render`]. What a change of the catalog makes old is
//! told by [`touched`], so that a server and a static copy make anew only that. Both show the same
//! bytes, since both have them from here.

pub mod export;
pub mod page;
pub mod serve;

mod address;
mod document;
mod feed;
mod gzip;
mod list;
mod openapi;
mod order;
mod places;
mod render;
mod touched;

pub use address::{Address, AddressError};
pub use document::Document;
pub use places::Places;
pub use render::{Rendered, render, unchanging, vacant};
pub use touched::touched;
