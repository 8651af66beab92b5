//! An executor of one thread and virtual time. Each task has its own waker and count of polls.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use embassy_time::{Duration, MockDriver};

use crate::net::Net;

/// The step of the clock, in microseconds.
const STEP: u64 = 1_000;

/// So many polls at one instant are a loop.
const POLLS_MAX: u32 = 20_000;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Task<'a> {
    future: Option<Pin<Box<dyn Future<Output = ()> + 'a>>>,
    flag: Arc<Flag>,
    polls: u64,
}

/// A task of [`Tasks`].
#[derive(Copy, Clone)]
pub(crate) struct Id(usize);

/// Tasks, and the network that they use.
pub(crate) struct Tasks<'a> {
    tasks: Vec<Task<'a>>,
    net: Rc<RefCell<Net>>,
}

impl<'a> Tasks<'a> {
    pub(crate) fn new(net: &Rc<RefCell<Net>>) -> Self {
        Self { tasks: Vec::new(), net: Rc::clone(net) }
    }

    pub(crate) fn spawn(&mut self, future: impl Future<Output = ()> + 'a) -> Id {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        self.tasks.push(Task { future: Some(Box::pin(future)), flag, polls: 0 });
        Id(self.tasks.len() - 1)
    }

    /// Drops a task.
    pub(crate) fn kill(&mut self, id: Id) {
        self.tasks[id.0].future = None;
    }

    pub(crate) fn is_done(&self, id: Id) -> bool {
        self.tasks[id.0].future.is_none()
    }

    /// How often a task was polled.
    pub(crate) fn polls(&self, id: Id) -> u64 {
        self.tasks[id.0].polls
    }

    /// Polls tasks until none is woken, or `main` is ready, or said so.
    fn settle<T>(&mut self, main: &mut Option<Main<'_, T>>) -> Option<T> {
        for _ in 0..POLLS_MAX {
            let mut polled = false;
            for task in &mut self.tasks {
                let Some(future) = &mut task.future else { continue };
                if task.flag.0.swap(false, Ordering::SeqCst) {
                    polled = true;
                    task.polls += 1;
                    let waker = Waker::from(Arc::clone(&task.flag));
                    if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                        task.future = None;
                    }
                }
            }
            if let Some(main) = main
                && main.flag.0.swap(false, Ordering::SeqCst)
            {
                polled = true;
                let waker = Waker::from(Arc::clone(&main.flag));
                let result = main.future.as_mut().poll(&mut Context::from_waker(&waker));
                if let Poll::Ready(result) = result {
                    return Some(result);
                }
            }
            polled |= self.net.borrow_mut().pump();
            if !polled {
                return None;
            }
        }
        panic!("a loop: time does not pass");
    }

    fn advance(&mut self, micros: u64) {
        MockDriver::get().advance(Duration::from_micros(micros));
        // What arrives now, and timers that fire now, are looked at together.
        self.net.borrow_mut().pump();
    }

    /// Lets everything go on that can go on now.
    pub(crate) fn run(&mut self) {
        self.settle::<()>(&mut None);
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, millis: u64) {
        for _ in 0..millis {
            self.run();
            self.advance(STEP);
        }
        self.run();
    }

    /// Lets a long time pass in which little should happen.
    pub(crate) fn idle_for(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.run();
            self.advance(100 * STEP);
        }
        self.run();
    }

    /// Lets time pass until a condition holds.
    pub(crate) fn run_until(&mut self, millis: u64, mut is: impl FnMut(&Self) -> bool) {
        for _ in 0..millis {
            self.run();
            if is(self) {
                return;
            }
            self.advance(STEP);
        }
        panic!("it is still not so after {millis} ms");
    }

    /// Runs a future to its end.
    pub(crate) fn block_on<T>(&mut self, millis: u64, future: impl Future<Output = T>) -> T {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let mut main = Some(Main { future: pin!(future), flag });
        for _ in 0..millis {
            if let Some(result) = self.settle(&mut main) {
                return result;
            }
            self.advance(STEP);
        }
        panic!("a future hangs for {millis} ms");
    }
}

struct Main<'p, T> {
    future: Pin<&'p mut dyn Future<Output = T>>,
    flag: Arc<Flag>,
}

/// When a future is dropped.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Drop {
    /// Right after its last poll.
    Early,
    /// When it was woken once more, before that poll.
    Late,
}

/// Polls a future `polls` times, then drops it.
pub(crate) struct Dropped<F> {
    future: Option<Pin<Box<F>>>,
    polls: usize,
    when: Drop,
}

impl<F> Dropped<F> {
    pub(crate) fn new(future: F, polls: usize, when: Drop) -> Self {
        Self { future: Some(Box::pin(future)), polls, when }
    }
}

impl<F: Future> Future for Dropped<F> {
    /// `None`: it was dropped.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.polls == 0 {
            this.future = None;
            return Poll::Ready(None);
        }
        this.polls -= 1;
        let Some(future) = &mut this.future else { return Poll::Ready(None) };
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if this.polls == 0 && this.when == Drop::Early {
            this.future = None;
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}
