//! Which partition an aggregate's records go to: the same as Java's Kafka client chooses for the
//! same key, so that whoever produces with the key reaches the same lane.

use ordain_model::AggregateKey;

/// The partition of an aggregate among so many: murmur2 over the key's text, its sign bit
/// cleared, modulo the count. Of 0 partitions the first.
#[must_use]
pub fn partition_of(key: &AggregateKey, partitions: u32) -> u32 {
    (murmur2(key.as_str().as_bytes()) & 0x7fff_ffff).checked_rem(partitions).unwrap_or(0)
}

/// `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    // The reference takes the length as a 32-bit integer too; no key is longer than that.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = SEED ^ length;
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        mixed ^= mixed >> R;
        hash = hash.wrapping_mul(M) ^ mixed.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_gives_what_the_java_client_gives() {
        for (key, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            let expected: i32 = expected;
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }

    #[test]
    fn every_partition_is_used_and_none_beyond() {
        let mut hits = [0_u32; 7];
        for number in 0..7_000 {
            let key = AggregateKey::new("default", "account", &number.to_string()).unwrap();
            hits[partition_of(&key, 7) as usize] += 1;
        }
        assert!(hits.iter().all(|hits| (700..1_300).contains(hits)), "{hits:?}");
    }
}
