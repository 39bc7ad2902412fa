//! A directory belongs to one process.

use ordain_tests::ServerOptions;

use crate::Home;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_directory_is_refused_and_names_the_holder() {
    let home = Home::new();
    let server = home.serve(&ServerOptions::default()).await;
    let log = home.try_serve(&ServerOptions::default()).await.unwrap_err();
    assert!(log.contains("process"), "{log}");
    assert_eq!(server.client().get("/livez").await.unwrap().status, 200);
    server.terminate().await;
}
