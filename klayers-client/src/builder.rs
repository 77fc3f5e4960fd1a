use std::collections::BTreeSet;
use std::time::Duration;

use klayers_core::AccountId;

use crate::hub::Hub;
use crate::protocol::Api;
use crate::transport::{Options, Transport, variable};
use crate::{Cache, Client, Error, RetryPolicy, blocking};

/// The options of a [`Client`], from [`Client::builder`].
///
/// ```
/// use std::time::Duration;
///
/// let client = klayers_client::Client::builder()
///     .base_url("https://layers.example.com")
///     .total_timeout(Duration::from_secs(5))
///     .build()?;
/// # Ok::<(), klayers_client::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ClientBuilder {
    base_url: String,
    accounts: Option<BTreeSet<AccountId>>,
    options: Options,
    cache: Cache,
    offline: bool,
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        Self {
            base_url: Client::PUBLIC_URL.to_owned(),
            accounts: None,
            options: Options {
                connect_timeout: Duration::from_secs(5),
                read_timeout: Duration::from_secs(10),
                total_timeout: Duration::from_secs(30),
                user_agent: concat!("klayers-client/", env!("CARGO_PKG_VERSION")).to_owned(),
                retries: RetryPolicy::default(),
            },
            cache: Cache::default(),
            offline: false,
        }
    }

    /// The options of [`Client::from_env`]: the base URL is that of `KLAYERS_API_URL`, if it is set.
    pub fn from_env() -> Self {
        let url = variable("KLAYERS_API_URL").filter(|url| !url.is_empty());
        url.into_iter().fold(Self::new(), Self::base_url)
    }

    /// The API's address, with or without `/api/v2` at its end; [`Client::PUBLIC_URL`] if it is not
    /// set.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// Accepts layers of these accounts alone; an answer that names another is an error. If it is
    /// not set, the layers may be of any account.
    pub fn accounts(mut self, accounts: impl IntoIterator<Item = AccountId>) -> Self {
        self.accounts = Some(accounts.into_iter().collect());
        self
    }

    /// How long it may take to connect; 5 seconds if it is not set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// How long the server may be silent; 10 seconds if it is not set.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.options.read_timeout = timeout;
        self
    }

    /// How long a call may take, over all its requests and what lies between them; 30 seconds if it is not set.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.options.total_timeout = timeout;
        self
    }

    /// How often a request is sent again, and after how long; [`RetryPolicy::default`] if it is not
    /// set.
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.options.retries = policy;
        self
    }

    /// How answers are kept; [`Cache::memory`] if it is not set.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }

    /// Asks no server: what is kept is the answer, however old it is, and what is not is
    /// [`Error::Offline`].
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// What the client calls itself in the `User-Agent` header.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.options.user_agent = user_agent.into();
        self
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// [`Error::BaseUrl`] if the base URL is none, [`Error::Certificates`] if the certificates that a
    /// variable names cannot be used, and [`Error::Setup`] if the user agent cannot stand in a
    /// header or the system's certificates cannot be read.
    pub fn build(self) -> Result<Client, Error> {
        let api = Api::new(&self.base_url, self.accounts)?;
        let transport = Transport::new(self.options)?;
        Ok(Client::from_hub(Hub::new(api, transport, self.cache, self.offline)))
    }

    /// The client for code that is not async.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build), and [`Error::Setup`] if no thread can be started.
    pub fn build_blocking(self) -> Result<blocking::Client, Error> {
        blocking::Client::from_async(self.build()?)
    }
}
