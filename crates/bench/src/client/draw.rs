//! Which account is next.

use rand::RngExt as _;
use rand::rngs::SmallRng;
use rand_distr::{Distribution as _, Zipf};

use crate::plan::Workload;

/// The exponent of YCSB's "zipfian" requests (Cooper et al., SoCC 2010).
const EXPONENT: f64 = 0.99;

/// Draws accounts as a workload wants them.
#[derive(Debug)]
pub(crate) enum Draw {
    Evenly(u32),
    ByPopularity(Zipf<f64>),
    Always(u32),
}

impl Draw {
    pub(crate) fn new(workload: Workload, accounts: u32) -> Self {
        match workload {
            Workload::HotKey => Self::Always(0),
            Workload::DepositZipf => {
                Zipf::new(f64::from(accounts), EXPONENT).map_or(Self::Always(0), Self::ByPopularity)
            }
            Workload::DepositUniform | Workload::Retries | Workload::Async | Workload::Batch => {
                Self::Evenly(accounts)
            }
        }
    }

    pub(crate) fn account(&self, random: &mut SmallRng) -> u32 {
        match self {
            Self::Evenly(accounts) => random.random_range(0..*accounts),
            // Ranks begin with 1.
            Self::ByPopularity(zipf) => zipf.sample(random) as u32 - 1,
            Self::Always(account) => *account,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    const ACCOUNTS: u32 = 100;

    fn drawn(workload: Workload) -> Vec<u32> {
        let (draw, mut random) = (Draw::new(workload, ACCOUNTS), SmallRng::seed_from_u64(7));
        let mut times = vec![0; ACCOUNTS as usize];
        for _ in 0..100_000 {
            times[draw.account(&mut random) as usize] += 1;
        }
        times
    }

    #[test]
    fn each_account_comes_as_often_as_the_workload_says() {
        for times in drawn(Workload::DepositUniform) {
            assert!((800..1_200).contains(&times), "{times}");
        }
        // The share of rank k is k^-0.99 / sum of all; the sum is 5.273 for 100.
        let popular = drawn(Workload::DepositZipf);
        for (rank, share) in [(1, 0.18965), (2, 0.09549), (10, 0.01941), (100, 0.00199)] {
            let times = f64::from(popular[rank - 1]) / 100_000.0;
            assert!((times / share - 1.0).abs() < 0.25, "rank {rank}: {times}, not {share}");
        }
        assert_eq!(drawn(Workload::HotKey)[0], 100_000);
    }
}
