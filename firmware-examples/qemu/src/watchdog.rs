#![allow(unsafe_code)]
//! The watchdog: an image that makes no progress ends, and says where it was.
//!
//! Progress is a turn of the executor, in thread mode. With the feature `watchdog` a task causes
//! one every few seconds, so lost timers are noticed as well. Without it the idle loop counts as
//! progress too: then only code that does not come back is noticed, and an idle image stays idle.
//! A task that waits for something that never comes is not noticed: that is for its own timeouts.
//!
//! The first timeout is an interrupt, which prints where it hit. If that is disabled, the second
//! timeout resets the machine, and the image that starts over reports it.

use core::cell::Cell;

use critical_section::Mutex;
use embassy_executor::Spawner;

pub use crate::fault::watchdog_entry;
use crate::semihosting::exit;
use crate::text::Line;
use crate::{Code, Machine, Registers};

/// Time without progress that ends a run, in seconds of the machine's time.
pub const PERIOD_S: u32 = 10;

/// How often the task feeds, in seconds.
#[cfg(feature = "watchdog")]
const FEED_S: u64 = 3;

const LOAD: usize = 0x00;
const CONTROL: usize = 0x08;
const INTERRUPT_CLEAR: usize = 0x0c;
const INTERRUPT_STATUS: usize = 0x14;
const LOCK: usize = 0xc00;

const CONTROL_INTERRUPT: u32 = 1 << 0;
const CONTROL_RESET: u32 = 1 << 1;
const UNLOCK: u32 = 0x1acc_e551;

static REGISTERS: Mutex<Cell<Option<Registers>>> = Mutex::new(Cell::new(None));

/// Says that the watchdog has been started before, which only a reset leaves behind.
const ARMED: u32 = 0xd09_f00d;

/// Startup neither clears nor loads this.
#[unsafe(link_section = ".uninit.MARK")]
static mut MARK: core::mem::MaybeUninit<u32> = core::mem::MaybeUninit::uninit();

/// Starts the watchdog, or ends the run if this is a start after the watchdog's reset.
pub(crate) fn start(machine: &Machine) {
    let mark = (&raw mut MARK).cast::<u32>();
    // SAFETY: any bits are a `u32`, memory that keeps its contents is there, and this runs once,
    // before all interrupts and tasks; nobody else knows of the static.
    let before = unsafe { mark.read_volatile() };
    if before == ARMED {
        Line::new().text("watchdog: no progress, interrupts disabled").print();
        exit(Code::Watchdog);
    }
    // SAFETY: as above.
    unsafe { mark.write_volatile(ARMED) };
    let registers = machine.watchdog;
    registers.write(LOCK, UNLOCK);
    registers.write(LOAD, machine.clock_hz * PERIOD_S);
    registers.write(CONTROL, CONTROL_INTERRUPT | CONTROL_RESET);
    critical_section::with(|section| REGISTERS.borrow(section).set(Some(registers)));
    if let Some(number) = machine.watchdog_interrupt {
        crate::interrupt::unmask(number);
    }
}

/// Gives the image another period.
pub(crate) fn feed() {
    // To clear the interrupt reloads the counter.
    if let Some(registers) = registers() {
        registers.write(INTERRUPT_CLEAR, 1);
    }
}

/// Called by the executor before it sleeps, at each tick.
pub(crate) fn idle() {
    #[cfg(not(feature = "watchdog"))]
    feed();
}

/// Spawns the task that feeds, if there is one.
pub(crate) fn spawn(_spawner: Spawner) {
    #[cfg(feature = "watchdog")]
    if let Ok(token) = wake() {
        _spawner.spawn(token);
    }
}

/// That it wakes is what feeds: it makes the executor turn.
#[cfg(feature = "watchdog")]
#[embassy_executor::task]
async fn wake() {
    loop {
        embassy_time::Timer::after_secs(FEED_S).await;
    }
}

/// Ends the run: by the entry for the watchdog's interrupt, which the two machines wire up
/// differently.
pub(crate) extern "C" fn expired(sp: u32, pc: u32) -> ! {
    if registers().is_some_and(|registers| registers.read(INTERRUPT_STATUS) != 0) {
        Line::new().text("watchdog: no progress").place(sp, pc).print();
        exit(Code::Watchdog)
    }
    Line::new().text("unexpected NMI").place(sp, pc).print();
    exit(Code::Fault)
}

fn registers() -> Option<Registers> {
    critical_section::with(|section| REGISTERS.borrow(section).get())
}
