//! The gate and pre-flight against a real Argo CD (docs/argocd.md): each trap of a grader on it, one test.

pub mod asks;
mod back;
mod boundary;
mod courses;
mod elsewhere;
mod external;
mod generator;
mod impersonation;
mod install;
mod mid;
mod moved;
mod plane;
mod probes;
mod proof;
mod push;
mod scene;
mod seed;
mod shop;
mod stack;
mod tenant;
mod traps;
mod tricks;
mod trouble;
mod watched;

use std::sync::RwLock;

/// Tests that end parts of the stack run alone; the others side by side.
static STACK: RwLock<()> = RwLock::new(());

/// Runs a test beside others.
fn beside(test: impl Future<Output = ()>) {
    let _others = STACK.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    run(test);
}

/// Runs a test that disturbs others.
fn alone(test: impl Future<Output = ()>) {
    let _nobody = STACK.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    run(test);
}

fn run(test: impl Future<Output = ()>) {
    // Before the clock of anything runs; and it blocks.
    stack::Stack::shared();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}
