//! Layers that are sent in the request.
//!
//! A request contains the zip in Base64, and nothing in it depends on the region. So it is created
//! once for each layer, and all regions send the same bytes. A copy for each region would take 60
//! MB for a layer of 45 MB.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use aws_runtime::auth::PayloadSigningOverride;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use data_encoding::{BASE64, Encoder};
use klayers_core::Digest;
use serde::Serialize;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::license;
use crate::{LayerUpload, PublishError};
use klayers_wheel::{durable, regular};

/// Memory limit for all request bodies together, in KiB: two of the largest.
const MEMORY: u32 = 140 << 10;

/// The request bodies being sent.
#[derive(Debug)]
pub(super) struct Bodies {
    memory: Arc<Semaphore>,
    /// Bodies by the values they depend on. A body is kept as long as it is being sent.
    bodies: Mutex<BTreeMap<Key, Weak<OnceCell<EncodedBody>>>>,
}

type Key = (Digest, String);

#[derive(Debug)]
struct EncodedBody {
    bytes: Bytes,
    digest: Digest,
    _memory: OwnedSemaphorePermit,
}

/// Body of a publish request.
#[derive(Clone, Debug)]
pub(super) struct Body(Arc<OnceCell<EncodedBody>>);

impl Default for Bodies {
    fn default() -> Self {
        Self { memory: Arc::new(Semaphore::new(MEMORY as usize)), bodies: Mutex::default() }
    }
}

impl Bodies {
    /// Returns the request body of a layer, creating it if no other region is sending it.
    pub(super) async fn of(&self, layer: &LayerUpload) -> Result<Body, PublishError> {
        let key = (layer.digest, layer.description.clone());
        let cell = {
            let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
            bodies.retain(|_, body| body.strong_count() > 0);
            let sending = bodies.get(&key).and_then(Weak::upgrade);
            sending.unwrap_or_else(|| {
                let cell = Arc::new(OnceCell::new());
                bodies.insert(key, Arc::downgrade(&cell));
                cell
            })
        };
        cell.get_or_try_init(|| self.make(layer)).await?;
        Ok(Body(cell))
    }

    async fn make(&self, layer: &LayerUpload) -> Result<EncodedBody, PublishError> {
        let kib = u32::try_from(encoded(layer.size) >> 10).unwrap_or(MEMORY) + 4;
        let memory = Arc::clone(&self.memory).acquire_many_owned(kib.min(MEMORY)).await;
        let layer = layer.clone();
        let made = tokio::task::spawn_blocking(move || request(&layer)).await;
        let (bytes, digest) = match made {
            Ok(made) => made?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let memory = memory.map_err(|_| PublishError::Ended)?;
        Ok(EncodedBody { bytes, digest, _memory: memory })
    }
}

impl Body {
    /// Size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.0.get().map_or(0, |body| body.bytes.len() as u64)
    }
}

/// Size of the Base64 encoding of this many bytes.
fn encoded(size: u64) -> u64 {
    size.div_ceil(3) * 4
}

/// All fields of a request except the zip, named as in Lambda's API reference.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Head<'a> {
    description: &'a str,
    license_info: Option<String>,
    compatible_runtimes: [String; 1],
    compatible_architectures: [&'a str; 1],
}

/// Creates a request body. Returns it with its SHA-256.
fn request(layer: &LayerUpload) -> Result<(Bytes, Digest), PublishError> {
    const END: &str = "\"}}";
    let head = Head {
        description: &layer.description,
        license_info: license(layer),
        compatible_runtimes: [layer.target.python.runtime()],
        compatible_architectures: [layer.target.architecture.as_str()],
    };
    let head =
        serde_json::to_string(&head).map_err(|error| unreadable(&layer.zip)(error.into()))?;
    let head = format!("{},\"Content\":{{\"ZipFile\":\"", head.trim_end_matches('}'));
    let size = usize::try_from(encoded(layer.size)).unwrap_or_default();
    let mut request = String::with_capacity(head.len() + size + END.len());
    request.push_str(&head);
    let actual = encode(&layer.zip, &mut request).map_err(unreadable(&layer.zip))?;
    if actual != layer.digest {
        let (path, digest) = (layer.zip.clone(), layer.digest);
        return Err(PublishError::Mismatch { path, digest, actual });
    }
    request.push_str(END);
    let digest = Digest::of(request.as_bytes());
    Ok((Bytes::from(request), digest))
}

/// Appends a file in Base64. Returns the SHA-256 of the file.
fn encode(path: &Path, to: &mut String) -> io::Result<Digest> {
    struct Encoding<'a>(Encoder<'a>);
    impl Write for Encoding<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.append(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let base64 = BASE64;
    let mut encoding = Encoding(base64.new_encoder(to));
    let (digest, _) = durable::copy(&mut regular::open(path)?, &mut encoding)?;
    encoding.0.finalize();
    Ok(digest)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> PublishError + use<> {
    let path = path.to_owned();
    move |source| PublishError::Io { action: "read", path, source }
}

/// Sets the body of a request before it is signed.
#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Body {
    fn name(&self) -> &'static str {
        "SharedBody"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = self.0.get().ok_or(PublishError::Ended)?;
        let request = context.request_mut();
        *request.body_mut() = SdkBody::from(body.bytes.clone());
        request.headers_mut().insert("content-length", body.bytes.len().to_string());
        // Avoids hashing the body again for each region.
        let digest = PayloadSigningOverride::Precomputed(body.digest.to_string());
        config.interceptor_state().store_put(digest);
        Ok(())
    }
}
