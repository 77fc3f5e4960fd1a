use std::collections::BTreeSet;
use std::time::Duration;

use klayers_core::AccountId;

use crate::backend::Backend;
use crate::environment::variable;
use crate::protocol::Api;
use crate::transport::{Options, Transport};
use crate::{Cache, Client, Error, RetryPolicy};

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

    /// The options of [`Client::from_env`]: the base URL is `KLAYERS_API_URL`, if that is set.
    pub fn from_env() -> Self {
        let url = variable("KLAYERS_API_URL").filter(|url| !url.is_empty());
        url.into_iter().fold(Self::new(), Self::base_url)
    }

    /// The address of the API, with or without `/api/v2` at the end; by default
    /// [`Client::PUBLIC_URL`].
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// Accepts only layers of these AWS accounts; an answer with another account is an error. By
    /// default all accounts are accepted.
    pub fn accounts(mut self, accounts: impl IntoIterator<Item = AccountId>) -> Self {
        self.accounts = Some(accounts.into_iter().collect());
        self
    }

    /// The time limit for a connection; by default 5 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// How long the server may send nothing; by default 10 seconds.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.options.read_timeout = timeout;
        self
    }

    /// The time limit for a call, including all its requests and the pauses between them; by default 30
    /// seconds.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.options.total_timeout = timeout;
        self
    }

    /// How often and after which delays a request is retried; by default [`RetryPolicy::default`].
    ///
    /// All requests only read, so all may be repeated. A call never takes longer than its total
    /// timeout: where a wait would, the call fails at once.
    ///
    /// Where the policy retries a request, a cached answer may also replace the missing one, as long
    /// as [`Cache::stale_if_error`] allows. The same holds for an answer that is not the API's, such
    /// as the login page of a network. An answer that names layers which were not asked for is
    /// always an error.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use klayers_client::{Client, RetryPolicy};
    ///
    /// let patient = RetryPolicy::default().attempts(8).longest_delay(Duration::from_secs(20));
    /// let client = Client::builder().retry_policy(patient).build()?;
    /// let hasty = Client::builder().retry_policy(RetryPolicy::never()).build()?;
    /// # Ok::<(), klayers_client::Error>(())
    /// ```
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.options.retries = policy;
        self
    }

    /// How answers are cached; by default [`Cache::memory`].
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }

    /// Never asks the server. Cached answers are used whatever their age; without a cached answer the
    /// call fails with [`Error::Offline`].
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// The value of the `User-Agent` header.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.options.user_agent = user_agent.into();
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// [`Error::BaseUrl`] if the base URL is not valid, [`Error::Certificates`] if the certificates that
    /// a variable names cannot be used, and [`Error::Setup`] if the user agent is not a valid header
    /// value or the system's certificates cannot be read.
    pub fn build(self) -> Result<Client, Error> {
        let api = Api::new(&self.base_url, self.accounts)?;
        let transport = Transport::new(self.options)?;
        Ok(Client::from_backend(Backend::new(api, transport, self.cache, self.offline)))
    }
}
