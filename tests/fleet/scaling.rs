//! More workers share the same partitions: each partition has one owner, each worker its share.

use std::time::Instant;

use ordain_tests::{Client, Process, ServerOptions, until};

use crate::Home;
use crate::deposits::Deposits;

const PARTITIONS: u32 = 16;
/// How many partitions each live worker says it works, once every partition has one owner, the
/// owner that is told for it is the one that says so, and the shares are within one of even.
async fn shares(api: &Process, workers: usize) -> Vec<usize> {
    let operator = Client::new(&api.metrics);
    until(&format!("{workers} workers with their shares"), || async {
        let status = operator.get("/v1/admin/status").await.ok()?;
        let members = status.at("/members");
        let alive = members
            .as_array()?
            .iter()
            .filter(|one| one["role"] == "worker" && one["alive"] == true);
        let alive: Vec<_> = alive.collect();
        let mut owners = vec![Vec::new(); PARTITIONS as usize];
        for member in &alive {
            for partition in member["partitions"].as_array()? {
                owners.get_mut(partition.as_u64()? as usize)?.push(&member["member"]);
            }
        }
        let told = status.at("/partitions");
        let one_owner = owners
            .iter()
            .zip(told.as_array()?)
            .all(|(owners, told)| matches!(owners.as_slice(), [owner] if **owner == told["owner"]));
        let mut shares: Vec<_> =
            alive.iter().filter_map(|one| Some(one["partitions"].as_array()?.len())).collect();
        shares.sort_unstable();
        let even = shares.last()?.saturating_sub(*shares.first()?) <= 1;
        (alive.len() == workers && one_owner && even).then_some(shares)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_partition_has_one_owner_however_many_workers_there_are() {
    let home = Home::new();
    home.ensure(Some(PARTITIONS)).await.unwrap();
    let options = ServerOptions::default();
    let mut workers = vec![home.start("worker", &options).await.unwrap()];
    let api = home.start("api", &options).await.unwrap();
    shares(&api, 1).await;
    let load = Deposits::begin(&[&api.address]);
    println!("workers  partitions of each          settled after");
    for count in [1, 2, 4, 8, 4, 1] {
        let began = Instant::now();
        while workers.len() < count {
            workers.push(home.start("worker", &options).await.unwrap());
        }
        while workers.len() > count {
            let left = workers.remove(0).terminate().await;
            assert_eq!(left.code(), Some(0), "it leaves in order");
        }
        let shares = shares(&api, count).await;
        println!("{count:>7}  {:<26}  {:.1?}", format!("{shares:?}"), began.elapsed());
        load.go_on(100).await;
    }
    load.end(&Client::new(&api.address)).await;
    for process in workers.into_iter().chain([api]) {
        assert_eq!(process.terminate().await.code(), Some(0));
    }
}
