//! The delivery of one command: told once, to whoever waits for it or has left word what to do.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::Delivered;

/// The delivery of one command: a future, or something to be done once it is known.
#[derive(Debug)]
pub struct Delivery(Arc<Mutex<State>>);

/// The adapter's end of a [`Delivery`]. Dropped, it says `Unknown`.
#[derive(Debug)]
pub struct DeliveryPromise(Option<Arc<Mutex<State>>>);

type Call = Box<dyn FnOnce(Delivered) + Send>;

#[derive(Default)]
enum State {
    /// Not known, and nobody waits yet.
    #[default]
    Open,
    /// Not known; to be woken.
    Wakes(Waker),
    /// Not known; to be called.
    Calls(Call),
    /// Known, and not told yet.
    Known(Delivered),
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Wakes(_) => "Wakes",
            Self::Calls(_) => "Calls",
            Self::Known(_) => "Known",
        })
    }
}

impl Delivery {
    /// A delivery and the end that fulfils it.
    #[must_use]
    pub fn new() -> (DeliveryPromise, Self) {
        let state = Arc::new(Mutex::default());
        (DeliveryPromise(Some(Arc::clone(&state))), Self(state))
    }

    /// Has `call` called once it is known what became of the command: at once when it is, else on
    /// the adapter's thread, which it must not block.
    pub fn then(self, call: impl FnOnce(Delivered) + Send + 'static) {
        let mut state = lock(&self.0);
        match std::mem::take(&mut *state) {
            State::Known(delivered) => {
                drop(state);
                call(delivered);
            }
            _ => *state = State::Calls(Box::new(call)),
        }
    }
}

impl DeliveryPromise {
    /// Says what became of the command.
    pub fn fulfil(mut self, delivered: Delivered) {
        self.tell(delivered);
    }

    fn tell(&mut self, delivered: Delivered) {
        let Some(state) = self.0.take() else { return };
        let mut state = lock(&state);
        match std::mem::take(&mut *state) {
            State::Calls(call) => {
                drop(state);
                call(delivered);
            }
            State::Wakes(waker) => {
                *state = State::Known(delivered);
                drop(state);
                waker.wake();
            }
            // Whoever would wait may have gone; then nobody wants to know.
            _ => *state = State::Known(delivered),
        }
    }
}

impl Drop for DeliveryPromise {
    fn drop(&mut self) {
        self.tell(Delivered::Unknown);
    }
}

impl Future for Delivery {
    type Output = Delivered;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Delivered> {
        let mut state = lock(&self.0);
        match std::mem::take(&mut *state) {
            State::Known(delivered) => Poll::Ready(delivered),
            _ => {
                *state = State::Wakes(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::Position;

    const AT: Delivered = Delivered::At(Position { partition: 1, offset: 2 });

    #[test]
    fn whoever_left_word_is_called_once_before_or_after() {
        let (told, tells) = mpsc::channel();
        let (promise, delivery) = Delivery::new();
        let later = told.clone();
        delivery.then(move |delivered| later.send(delivered).unwrap());
        assert!(tells.try_recv().is_err(), "not known yet");
        promise.fulfil(AT);
        assert_eq!(tells.try_recv(), Ok(AT));
        let (promise, delivery) = Delivery::new();
        promise.fulfil(AT);
        delivery.then(move |delivered| told.send(delivered).unwrap());
        assert_eq!(tells.try_iter().collect::<Vec<_>>(), [AT]);
    }

    #[test]
    fn a_promise_that_is_dropped_says_unknown() {
        let (told, tells) = mpsc::channel();
        let (promise, delivery) = Delivery::new();
        delivery.then(move |delivered| told.send(delivered).unwrap());
        drop(promise);
        assert_eq!(tells.try_recv(), Ok(Delivered::Unknown));
    }

    #[test]
    fn whoever_leaves_word_while_it_is_told_is_called_once() {
        for _ in 0..1_000 {
            let (told, tells) = mpsc::channel();
            let (promise, delivery) = Delivery::new();
            let fulfils = std::thread::spawn(move || promise.fulfil(AT));
            delivery.then(move |delivered| told.send(delivered).unwrap());
            fulfils.join().unwrap();
            assert_eq!(tells.try_iter().collect::<Vec<_>>(), [AT]);
        }
    }

    #[tokio::test]
    async fn whoever_has_waited_may_leave_word_instead() {
        let (told, tells) = mpsc::channel();
        let (promise, mut delivery) = Delivery::new();
        let waits =
            std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut delivery).poll(context)));
        assert_eq!(waits.await, Poll::Pending);
        delivery.then(move |delivered| told.send(delivered).unwrap());
        promise.fulfil(AT);
        assert_eq!(tells.try_iter().collect::<Vec<_>>(), [AT]);
    }

    /// Whoever is called may do what takes the lock of another delivery, or drop everything.
    #[test]
    fn whoever_is_called_holds_no_lock() {
        let (promise, delivery) = Delivery::new();
        let state = Arc::clone(&delivery.0);
        let (told, tells) = mpsc::channel();
        delivery.then(move |_| told.send(state.try_lock().is_ok()).unwrap());
        promise.fulfil(AT);
        assert_eq!(tells.try_recv(), Ok(true));
        let (promise, delivery) = Delivery::new();
        let (state, (told, tells)) = (Arc::clone(&delivery.0), mpsc::channel());
        promise.fulfil(AT);
        delivery.then(move |_| told.send(state.try_lock().is_ok()).unwrap());
        assert_eq!(tells.try_recv(), Ok(true));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let (promise, delivery) = Delivery::new();
        let waits = tokio::spawn(delivery);
        tokio::task::yield_now().await;
        promise.fulfil(AT);
        assert_eq!(waits.await.unwrap(), AT);
    }
}
