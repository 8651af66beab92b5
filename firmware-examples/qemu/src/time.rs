//! embassy-time's clock: SysTick at 1 kHz, counted in 64 bits.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::{Driver, TICK_HZ, time_driver_impl};
use embassy_time_queue_utils::Queue;

use crate::interrupt;

struct SysTickDriver {
    now: Mutex<Cell<u64>>,
    next: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

time_driver_impl!(static DRIVER: SysTickDriver = SysTickDriver {
    now: Mutex::new(Cell::new(0)),
    next: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for SysTickDriver {
    fn now(&self) -> u64 {
        critical_section::with(|section| self.now.borrow(section).get())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            if self.queue.borrow_ref_mut(section).schedule_wake(at, waker) {
                self.wake_due(section);
            }
        });
    }
}

impl SysTickDriver {
    fn tick(&self) {
        critical_section::with(|section| {
            let now = self.now.borrow(section);
            now.set(now.get() + 1);
            if now.get() >= self.next.borrow(section).get() {
                self.wake_due(section);
            }
        });
    }

    fn wake_due(&self, section: CriticalSection<'_>) {
        let now = self.now.borrow(section).get();
        let next = self.queue.borrow_ref_mut(section).next_expiration(now);
        self.next.borrow(section).set(next);
    }
}

/// Starts the ticks.
pub(crate) fn start(clock_hz: u32) {
    let mut systick = interrupt::systick();
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(clock_hz / TICK_HZ as u32 - 1);
    systick.clear_current();
    systick.enable_interrupt();
    systick.enable_counter();
}

#[exception]
fn SysTick() {
    DRIVER.tick();
}
