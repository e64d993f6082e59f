//! Telling readiness how Redis stands.

use std::time::Duration;

use tokio::sync::watch;
use wenzhen_service::health::Dependency;

use crate::link::State;

/// An absence as short as this is bridged by whoever repeats commands, and is no reason to take no calls.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) async fn report(mut state: watch::Receiver<State>, dependency: Dependency) {
    let mut was_up = false;
    loop {
        let reason = match &*state.borrow_and_update() {
            State::Up(_) => None,
            State::Away(reason) => Some(reason.to_string()),
        };
        match reason {
            None => {
                dependency.up();
                was_up = true;
            }
            Some(reason) if was_up => {
                let back = state.wait_for(|state| matches!(state, State::Up(_)));
                if tokio::time::timeout(GRACE, back).await.is_err() {
                    dependency.down(reason);
                    was_up = false;
                }
                continue;
            }
            Some(reason) => dependency.down(reason),
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}
