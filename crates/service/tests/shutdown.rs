//! SIGTERM cancels the token and does not end the process.

use wenzhen_service::shutdown;

#[tokio::test]
async fn sigterm_cancels_the_token() {
    let token = shutdown::on_signals().unwrap();
    assert!(!token.is_cancelled());
    let own = std::process::id().to_string();
    assert!(
        tokio::task::spawn_blocking(move || std::process::Command::new("kill").args(["-TERM", &own]).status())
            .await
            .unwrap()
            .unwrap()
            .success()
    );
    token.cancelled().await;
}
