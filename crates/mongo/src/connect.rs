//! From the settings to the driver's options: what they leave open is closed here, so that no
//! URL can weaken what the stores promise.

use std::time::Duration;
use std::{env, fs};

use mongodb::options::{
    ClientOptions, Credential, ReadConcern, ReadPreference, SelectionCriteria, Tls, TlsOptions,
    WriteConcern,
};

use crate::Settings;
use crate::fault::Fault;

const PREFIX_CHARS_MAX: usize = 48;

/// The driver's options.
///
/// # Errors
/// What in the settings is wrong, for people; never with the URL or a secret in it.
pub(crate) async fn options(settings: &Settings) -> Result<ClientOptions, Fault> {
    check(settings)?;
    let credential = credential(settings)?;
    let mut options = ClientOptions::parse(&settings.url).await?;
    options.app_name.get_or_insert_with(|| "ordain".to_owned());
    if let Some(credential) = credential {
        options.credential = Some(credential);
    }
    secure(settings, &mut options);
    limit(settings, &mut options);
    promise(settings, &mut options);
    Ok(options)
}

fn check(settings: &Settings) -> Result<(), Fault> {
    // Before the driver reads it, for the driver repeats parts of a URL that it cannot read.
    if settings.url.contains('@') {
        let why = "the URL holds a user or a password; name the user with `username` and where \
                   the password is with `password_file` or `password_variable`";
        return Err(Fault::unfit(why));
    }
    let is_prefix_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    let length = settings.prefix.len();
    if !(1..=PREFIX_CHARS_MAX).contains(&length) || !settings.prefix.chars().all(is_prefix_char) {
        return Err(Fault::unfit("the prefix is not 1 to 48 characters of a-z 0-9 - _"));
    }
    if settings.send_ms_max == 0 {
        return Err(Fault::unfit("send_ms_max is 0, and nothing can be sent in no time"));
    }
    Ok(())
}

fn credential(settings: &Settings) -> Result<Option<Credential>, Fault> {
    let Some(username) = &settings.username else {
        return Ok(None);
    };
    let credential = Credential::builder()
        .username(username.clone())
        .password(password(settings)?)
        .source(settings.authentication_database.clone());
    Ok(Some(credential.build()))
}

fn password(settings: &Settings) -> Result<String, Fault> {
    let password = match (&settings.password_file, &settings.password_variable) {
        (Some(file), None) => fs::read_to_string(file).map_err(|error| {
            Fault::unfit(format!("the password file {} cannot be read: {error}", file.display()))
        })?,
        // What stands in the variable is not repeated, whatever is wrong with it.
        (None, Some(variable)) => env::var(variable)
            .map_err(|_| Fault::unfit(format!("the variable {variable} holds no text")))?,
        _ => return Err(Fault::unfit("a username needs either a password file or a variable")),
    };
    Ok(password.trim_end_matches(['\r', '\n']).to_owned())
}

fn secure(settings: &Settings, options: &mut ClientOptions) {
    let Settings { tls_ca_file, tls_certificate_key_file, .. } = settings;
    if tls_ca_file.is_none() && tls_certificate_key_file.is_none() {
        return;
    }
    let mut tls = match options.tls.take() {
        Some(Tls::Enabled(tls)) => tls,
        _ => TlsOptions::default(),
    };
    tls.ca_file_path = tls_ca_file.clone().or(tls.ca_file_path);
    tls.cert_key_file_path = tls_certificate_key_file.clone().or(tls.cert_key_file_path);
    options.tls = Some(Tls::Enabled(tls));
}

fn limit(settings: &Settings, options: &mut ClientOptions) {
    options.max_pool_size = Some(settings.pool_connections_max.max(1));
    options.server_selection_timeout =
        Some(Duration::from_millis(settings.server_selection_ms_max));
    options.connect_timeout = Some(Duration::from_millis(settings.connect_ms_max));
    // The driver takes nothing below half a second.
    options.heartbeat_freq = Some(Duration::from_millis(settings.heartbeat_ms.max(500)));
    // Many lanes begin at once.
    options.max_connecting = Some(8);
}

/// What every command of this crate says for itself too; here so that none can be without it.
fn promise(settings: &Settings, options: &mut ClientOptions) {
    let acknowledge = Duration::from_millis(settings.acknowledge_ms_max);
    let mut write_concern = WriteConcern::majority();
    write_concern.journal = Some(true);
    write_concern.w_timeout = Some(acknowledge);
    options.write_concern = Some(write_concern);
    options.read_concern = Some(ReadConcern::majority());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    // The driver sends a write once: whoever sends it again checks deadlines before.
    options.retry_writes = Some(false);
    options.max_adaptive_retries = Some(0);
}

#[cfg(test)]
mod tests {
    use super::{ReadPreference, SelectionCriteria, Settings, options};

    async fn refused(settings: Settings) -> String {
        options(&settings).await.expect_err("it is refused").to_string()
    }

    #[tokio::test]
    async fn a_url_with_a_password_is_refused_and_not_repeated() {
        for url in [
            "mongodb://user:hunter2@localhost:1/?x=y",
            "mongodb://user:hun/ter2@localhost:1",
            "mongodb://user:hunter2@localhost:notaport",
            "mongodb://hunter2@localhost",
        ] {
            let why = refused(Settings { url: url.to_owned(), ..Settings::default() }).await;
            assert!(!why.contains("hun") && why.contains("password_file"), "{why}");
        }
    }

    #[tokio::test]
    async fn a_url_cannot_weaken_the_promises() {
        let weak = "mongodb://localhost:1/?w=0&journal=false&retryWrites=true&readPreference=\
                    secondary&readConcernLevel=local&maxPoolSize=3";
        let settings = Settings { url: weak.to_owned(), ..Settings::default() };
        let options = options(&settings).await.expect("options");
        assert_eq!(options.retry_writes, Some(false));
        assert_eq!(options.max_pool_size, Some(settings.pool_connections_max));
        let write_concern = options.write_concern.expect("a write concern");
        assert_eq!(write_concern.w, Some(mongodb::options::Acknowledgment::Majority));
        assert_eq!(write_concern.journal, Some(true));
        let read_concern = options.read_concern.expect("a read concern");
        assert_eq!(read_concern.level, mongodb::options::ReadConcernLevel::Majority);
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        assert_eq!(options.selection_criteria, Some(primary));
    }

    #[tokio::test]
    async fn a_prefix_is_a_name_for_a_database() {
        for prefix in ["", "a.b", "A", "a b", "a$", &"x".repeat(49)] {
            let settings = Settings { prefix: prefix.to_owned(), ..Settings::default() };
            assert!(refused(settings).await.contains("prefix"), "{prefix}");
        }
    }

    #[tokio::test]
    async fn no_time_to_send_in_is_refused() {
        let settings = Settings { send_ms_max: 0, ..Settings::default() };
        assert!(refused(settings).await.contains("send_ms_max"));
    }

    #[tokio::test]
    async fn a_user_needs_a_password_from_one_place() {
        let settings = Settings { username: Some("u".to_owned()), ..Settings::default() };
        assert!(refused(settings.clone()).await.contains("password"));
        let nowhere = Some("/nonexistent/password".into());
        let settings = Settings { password_file: nowhere, ..settings };
        assert!(refused(settings).await.contains("/nonexistent/password"));
    }
}
