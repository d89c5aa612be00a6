//! A changed rubric on a forge: heads are judged again from the daemon's mirror, and told by the daemon that serves it.

use std::process::Output;

use super::world::World;

fn says(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_rubric_is_previewed_and_told_to_those_who_gain_and_to_nobody_else() {
    let world = World::new().await;
    let (gains, same, loses) =
        (world.open("ada", 2, "aurora"), world.open("bob", 1, "aurora"), world.open("eve", 3, "aurora"));
    let serve = world.serve(&[]);
    world.reviewed(gains, 1, "Not yet: 3 of 7 points").await;
    world.reviewed(same, 1, "Not yet: 3 of 7 points").await;
    world.reviewed(loses, 1, "7 of 7 points").await;
    world.at_rest(&serve).await;

    let rubric = "tiny/basics/start/tasks/first/task.yaml";
    let text = std::fs::read_to_string(world.path(rubric)).unwrap();
    assert!(text.contains("{replicas: 3}"));
    world.write(rubric, &text.replace("{replicas: 3}", "{replicas: 2}"));
    let before = world.writes();
    let preview = says(&world.run(&["regrade", "--preview", "--data", "data", "--course", "tiny"]));
    assert!(preview.contains("gains      ada ") && preview.contains("3 -> 7 of 7  first"), "{preview}");
    assert!(preview.contains("loses      eve ") && preview.contains("7 -> 3 of 7  first"), "{preview}");
    assert!(preview.contains("1 gain, 1 lose, 1 unchanged, 0 cannot be judged now."), "{preview}");
    assert_eq!(world.writes(), before, "a preview posts nothing");
    says(&world.run(&["regrade", "--apply", "--config", "gradus.yaml", "--course", "tiny"]));

    assert_eq!(serve.stop("TERM").0, Some(0));
    let serve = world.serve(&[]);
    world.reviewed(gains, 2, "7 of 7 points").await;
    world.at_rest(&serve).await;
    world.reviewed(same, 1, "Not yet: 3 of 7 points").await;
    world.reviewed(loses, 1, "7 of 7 points").await;
    world.hub.finish();
}
