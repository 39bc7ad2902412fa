//! The watchdog: notices a rule that never returns. A rule cannot be stopped from outside, so the
//! process has to end; the watchdog only says when. It tells the time by its own looks: while the
//! whole process stands still, no rule runs and none is late.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use ordain_model::{AggregateKey, RequestId};

/// A rule that has run for longer than it may.
#[derive(Debug, Clone)]
pub struct Overrun {
    /// Whose command it decides.
    pub aggregate: AggregateKey,
    /// Which command it decides.
    pub request: RequestId,
}

/// What to do about an overrun; called on the watchdog's own thread.
type Alarm = Box<dyn Fn(Overrun) + Send>;

/// In so many looks a rule's time is over.
const LOOKS: u64 = 4;

/// Watches the rules that all lanes of a process run.
pub struct Watchdog {
    /// How often it has looked.
    looks: Arc<AtomicU64>,
    watches: Mutex<Vec<Weak<Watch>>>,
}

/// One lane's rule under watch.
pub(crate) struct Watch {
    looks: Arc<AtomicU64>,
    /// Behind how many looks the running rule was started, plus 1; 0 when none runs.
    running_since: AtomicU64,
    subject: Mutex<Option<Overrun>>,
}

impl Watchdog {
    /// Starts the watchdog. `alarm` is called once a rule has run for longer than
    /// `decide_ms_max`, from then on at every look until it returns. It ends with its last user.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        decide_ms_max: u64,
        alarm: impl Fn(Overrun) + Send + 'static,
    ) -> std::io::Result<Arc<Self>> {
        let dog = Arc::new(Self::new());
        let weak = Arc::downgrade(&dog);
        let alarm: Alarm = Box::new(alarm);
        thread::Builder::new().name("ordain-watchdog".into()).spawn(move || {
            let look_every = Duration::from_millis(decide_ms_max.div_ceil(LOOKS).max(1));
            loop {
                thread::sleep(look_every);
                let Some(dog) = weak.upgrade() else { return };
                dog.look().into_iter().for_each(&alarm);
            }
        })?;
        Ok(dog)
    }

    fn new() -> Self {
        Self { looks: Arc::default(), watches: Mutex::default() }
    }

    pub(crate) fn watch(&self) -> Arc<Watch> {
        let watch = Arc::new(Watch {
            looks: Arc::clone(&self.looks),
            running_since: AtomicU64::new(0),
            subject: Mutex::default(),
        });
        lock(&self.watches).push(Arc::downgrade(&watch));
        watch
    }

    /// Looks once more; gives the rules whose time is over.
    fn look(&self) -> Vec<Overrun> {
        self.looks.fetch_add(1, Ordering::AcqRel);
        let mut watches = lock(&self.watches);
        watches.retain(|watch| watch.strong_count() > 0);
        watches.iter().filter_map(Weak::upgrade).filter_map(|watch| watch.overrun()).collect()
    }
}

impl Watch {
    /// Runs a rule under watch. A panic of it passes through.
    pub(crate) fn run<T>(
        &self,
        subject: (&AggregateKey, &RequestId),
        rule: impl FnOnce() -> T,
    ) -> T {
        *lock(&self.subject) =
            Some(Overrun { aggregate: subject.0.clone(), request: subject.1.clone() });
        self.running_since.store(self.now(), Ordering::Release);
        let end = End(self);
        let result = rule();
        drop(end);
        result
    }

    fn now(&self) -> u64 {
        self.looks.load(Ordering::Acquire).saturating_add(1)
    }

    /// The first look may come right behind the rule's start, and does not count.
    fn overrun(&self) -> Option<Overrun> {
        let since = self.running_since.load(Ordering::Acquire);
        let over = since != 0 && self.now().saturating_sub(since) > LOOKS;
        if over { lock(&self.subject).clone() } else { None }
    }
}

/// Ends the watch also when the rule panics.
struct End<'a>(&'a Watch);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.running_since.store(0, Ordering::Release);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn subject() -> (AggregateKey, RequestId) {
        (AggregateKey::new("default", "account", "a").unwrap(), "r".parse().unwrap())
    }

    #[test]
    fn a_rule_that_does_not_return_is_named() {
        let (found, finds) = mpsc::channel();
        let dog = Watchdog::start(10, move |overrun| drop(found.send(overrun))).unwrap();
        let watch = dog.watch();
        let (aggregate, request) = subject();
        let overrun = watch
            .run((&aggregate, &request), || finds.recv_timeout(Duration::from_secs(30)).unwrap());
        assert_eq!(overrun.request, request);
    }

    #[test]
    fn only_looks_count_against_a_rule_as_none_are_made_while_the_process_stands_still() {
        let dog = Watchdog::new();
        let watch = dog.watch();
        let (aggregate, request) = subject();
        watch.run((&aggregate, &request), || {
            for _ in 0..LOOKS {
                assert!(dog.look().is_empty());
            }
            assert_eq!(dog.look().len(), 1);
        });
        assert!(dog.look().is_empty());
    }

    #[test]
    fn a_rule_that_returned_or_panicked_is_not_named() {
        let dog = Watchdog::new();
        let watch = dog.watch();
        let (aggregate, request) = subject();
        watch.run((&aggregate, &request), || ());
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            watch.run((&aggregate, &request), || panic!("as meant"));
        }));
        assert!(panic.is_err());
        let looks = (0..=LOOKS).map(|_| dog.look().len());
        assert_eq!(looks.sum::<usize>(), 0);
    }
}
