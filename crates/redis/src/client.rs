//! Opens connections: address, login, TLS, time limits.

use std::fs;
use std::io;
use std::time::Duration;

use ordain_ports::{Action, Error};
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, ProtocolVersion,
    PushInfo, RedisError, ServerErrorKind,
};

use crate::Settings;

/// Why there is no connection, or one no more.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A setting makes no sense.
    Setting(&'static str),
    /// A file that a setting names cannot be read.
    File(&'static str, io::Error),
    /// The server or the way to it.
    Server(RedisError),
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::Server(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let call = |message: String| Self::new(Action::CallPerson, message);
        match failure {
            Failure::Setting(why) => call(format!("redis cannot be used: {why}")),
            Failure::File(which, error) => {
                call(format!("redis cannot be used: {which} cannot be read")).because(error)
            }
            Failure::Server(error) if is_for_people(&error) => {
                call("redis refuses this process".to_owned()).because(error)
            }
            Failure::Server(error) => {
                Self::new(Action::TryAgain, "redis does not answer").because(error)
            }
        }
    }
}

/// Whether trying again cannot help: a wrong password, a missing right, a wrong address.
fn is_for_people(error: &RedisError) -> bool {
    let refusals = ["NOAUTH", "WRONGPASS", "NOPERM"];
    matches!(
        error.kind(),
        ErrorKind::AuthenticationFailed
            | ErrorKind::InvalidClientConfig
            | ErrorKind::Server(ServerErrorKind::NoPerm)
    ) || error.code().is_some_and(|code| refusals.contains(&code))
}

/// What receives the messages of a connection. Called where the connection is read: must not block.
pub(crate) type Push = Box<dyn Fn(PushInfo) + Send + Sync>;

/// Opens connections.
#[derive(Debug)]
pub(crate) struct Client(Settings);

impl Client {
    /// # Errors
    /// A setting that makes no sense.
    pub(crate) fn new(settings: Settings) -> Result<Self, Failure> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if settings.prefix.is_empty() || !settings.prefix.chars().all(is_plain) {
            return Err(Failure::Setting("the prefix has to be of letters, digits, `.`, `_`, `-`"));
        }
        let client = Self(settings);
        client.open()?;
        Ok(client)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0
    }

    /// A new connection, which the server's list of clients shows under that name. With `push` it
    /// may subscribe.
    pub(crate) async fn connect(
        &self,
        name: &str,
        push: Option<Push>,
    ) -> Result<Connection, Failure> {
        // Anew each time, because password and certificates may have changed.
        let client = self.open()?;
        let limit = Duration::from_millis(self.0.connect_ms_max);
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limit))
            .set_response_timeout(Some(Duration::from_millis(self.0.response_ms_max)));
        if let Some(push) = push {
            config = config.set_push_sender(move |info| {
                push(info);
                Ok::<(), ()>(())
            });
        }
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        // A user who may not name connections may still use them.
        let mut naming = redis::cmd("CLIENT");
        match naming.arg("SETNAME").arg(name).exec_async(&mut connection).await {
            Err(error) if error.is_unrecoverable_error() => Err(error.into()),
            _ => Ok(connection),
        }
    }

    fn open(&self) -> Result<redis::Client, Failure> {
        let info = self.0.url.as_str().into_connection_info()?;
        if info.redis_settings().password().is_some() {
            let why = "a password does not belong into the url but into a file or the environment";
            return Err(Failure::Setting(why));
        }
        let mut login = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        if let Some(username) = &self.0.username {
            login = login.set_username(username);
        }
        if let Some(password) = self.password()? {
            login = login.set_password(password);
        }
        let tcp = TcpSettings::default().set_nodelay(true);
        self.client(info.set_redis_settings(login).set_tcp_settings(tcp))
    }

    fn password(&self) -> Result<Option<String>, Failure> {
        if let Some(path) = &self.0.password_file {
            let text = fs::read_to_string(path)
                .map_err(|error| Failure::File("the file of the password", error))?;
            return Ok(Some(text.trim().to_owned()));
        }
        let Some(variable) = &self.0.password_variable else { return Ok(None) };
        match std::env::var(variable) {
            Ok(password) => Ok(Some(password)),
            Err(_) => Err(Failure::Setting("the environment variable of the password is not set")),
        }
    }

    #[cfg(feature = "tls")]
    fn client(&self, info: ConnectionInfo) -> Result<redis::Client, Failure> {
        let Some(path) = &self.0.tls_ca_file else { return Ok(redis::Client::open(info)?) };
        let authority = fs::read(path)
            .map_err(|error| Failure::File("the file of the certificate authority", error))?;
        let certificates = redis::TlsCertificates { client_tls: None, root_cert: Some(authority) };
        Ok(redis::Client::build_with_tls(info, certificates)?)
    }

    #[cfg(not(feature = "tls"))]
    fn client(&self, info: ConnectionInfo) -> Result<redis::Client, Failure> {
        if self.0.tls_ca_file.is_some() {
            return Err(Failure::Setting("this build knows no TLS"));
        }
        Ok(redis::Client::open(info)?)
    }
}

/// A connection. Closed when it is dropped.
pub(crate) type Connection = MultiplexedConnection;

/// Asks whether the server is there.
pub(crate) async fn ping(connection: &mut Connection) -> Result<(), Failure> {
    Ok(redis::cmd("PING").exec_async(connection).await?)
}
