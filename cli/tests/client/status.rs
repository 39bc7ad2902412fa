//! `ordain status`: what it asks and prints.

use crate::program::{end, ordain, run, signal};
use crate::server::{Reply, Server, answer, problem};

const STATUS: &str = r#"{"version":"1.2.3","uptimeSeconds":3723,"partitions":[{"partition":0,"end":9,"progress":7,"behind":2,"owner":"0123456789abcdef","oldestWaitMs":1234,"perSecond":99.6,"perSecondMax":1000.4,"waitMs":2,"refusing":false,"stopped":null},{"partition":1,"end":9,"progress":null,"behind":9,"owner":null,"oldestWaitMs":70000,"perSecond":null,"perSecondMax":null,"waitMs":null,"refusing":true,"stopped":null},{"partition":2,"end":0,"progress":null,"behind":0}],"members":[{"member":"0123456789abcdef","role":"worker","version":"1.2.3","uptimeSeconds":61,"beatAgeMs":800,"alive":true,"partitions":[0,2,3],"lastError":null},{"member":"dead","role":"worker","version":"1.2.2","uptimeSeconds":90000,"beatAgeMs":7200,"alive":false,"partitions":[1],"lastError":"partition 1: insert:\nno \u001banswer"}]}"#;

const TABLE: &str = "\
ordain 1.2.3, up 1h02m

PARTITION  OWNER     BEHIND  OLDEST  /S   MAX/S  WAIT  STATE
0          01234567  2       1.2s    100  1000   2ms
1          -         9       1m10s   -    -      -     refusing: no worker
2          -         0       -       -    -      -

MEMBER    ROLE    VERSION  UP     BEAT           PARTITIONS  LAST ERROR
01234567  worker  1.2.3    1m01s  800ms          0 2-3
dead      worker  1.2.2    1d01h  7.2s, missing  1           partition 1: insert: no \\u{1b}answer
";

#[test]
fn the_status_is_a_table_or_what_the_server_said() {
    let server = Server::start(|_, _| answer(200, STATUS));
    let status = run(&server.url(), &["status"]);
    assert_eq!((status.code, status.out.as_str()), (0, TABLE), "{status:?}");
    assert_eq!(server.requests()[0].line(), "GET /v1/admin/status");
    let json = run(&server.url(), &["status", "--json"]);
    assert_eq!((json.code, json.out.trim()), (0, STATUS));
}

#[test]
fn a_status_that_cannot_be_had_says_why() {
    let unknown = r#"{"version":"1","uptimeSeconds":1,"partitions":[],"members":[],"ownersUnknown":"no primary"}"#;
    let server = Server::start(move |_, _| answer(200, unknown));
    let status = run(&server.url(), &["status"]);
    assert_eq!(status.code, 0);
    assert!(status.out.contains("the members are not known: no primary"), "{status:?}");
    let server = Server::start(|_, _| problem(503, "UNAVAILABLE"));
    let status = run(&server.url(), &["status"]);
    assert_eq!(status.code, 3, "{status:?}");
    assert!(status.err.contains("UNAVAILABLE"), "{status:?}");
    let server = Server::start(|_, _| Reply::Close);
    let status = run(&server.url(), &["status"]);
    assert_eq!(status.code, 3, "{status:?}");
}

#[test]
fn a_watch_goes_on_over_a_server_that_is_away_until_it_is_interrupted() {
    let server = Server::start(|nth, _| match nth {
        1 => problem(503, "UNAVAILABLE"),
        _ => answer(200, STATUS),
    });
    let watch = ordain(&server.url(), &["status", "--watch", "--json"]).spawn().unwrap();
    for _ in 0..3 {
        server.wait_for_request();
    }
    signal(watch.id(), "INT");
    let watch = end(watch);
    assert_eq!(watch.code, 0, "{watch:?}");
    assert!(watch.out.lines().count() >= 1, "{watch:?}");
    assert!(watch.out.lines().all(|line| line == STATUS), "{watch:?}");
    assert!(watch.err.contains("UNAVAILABLE"), "{watch:?}");
}
