//! Ctrl-C and a polite kill, as something that can be waited for.

/// Returns when the process is asked to stop. Where no signal can be listened to, never.
pub(crate) async fn interrupted() {
    tokio::select! {
        () = control_c() => {}
        () = terminated() => {}
    }
}

async fn control_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending::<()>().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending::<()>().await;
}
