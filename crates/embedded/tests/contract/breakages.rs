//! The suites fail where they should: each of these adapters breaks one promise, and the test
//! named here goes red for it, with the message named here.

mod beats;
mod derived;
mod feeds;
mod logs;
mod marks;
mod replies;
mod stores;
mod views;

/// `name: Breakage fails port::test with "message";` for each.
macro_rules! caught {
    ($(
        $name:ident: $breakage:ty, $port:ident::$test:ident $(<$topic:ident>)?, $message:literal;
    )*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[should_panic(expected = $message)]
        async fn $name() {
            type Broken = crate::broken::Broken<$breakage>;
            let run = ordain_ports::contract::$port::$test::<
                Broken $(, ordain_ports::contract::feed::$topic)?
            >();
            ordain_ports::contract::in_time::<Broken>(stringify!($test), run).await;
        }
    )*};
}
use caught;
