//! Control planes of learners' own, with the real programs.

pub mod world;

use std::time::{Duration, Instant};

use gradus::environment::planes::{Count, Planes, PlanesError};
use world::{Ground, client, create, delete_node, has, is_where_it_was, run, runs};

/// Says how long something took to whoever measures (`docs/environments.md`).
fn took(what: &str, begun: Instant) -> Duration {
    let took = begun.elapsed();
    eprintln!("{what}: {} ms", took.as_millis());
    took
}

#[test]
fn two_learners_at_once_see_nothing_of_each_other() {
    run(async {
        let ground = Ground::new();
        let planes = ground.open(2, 0).await;
        let begun = Instant::now();
        let (ada, again, bob) = tokio::join!(planes.lend("ada"), planes.lend("ada"), planes.lend("bob"));
        took("two from nothing", begun);
        let (ada, again, bob) = (ada.unwrap(), again.unwrap(), bob.unwrap());
        assert_eq!(ada.server(), again.server());
        assert_ne!(ada.server(), bob.server());
        assert_eq!(planes.count(), Count { running: 2, spare: 0, parked: 0 });

        create(&ada, "only-ada").await;
        assert!(has(&ada, "only-ada").await && !has(&bob, "only-ada").await);
        // Nor may one's administrator do anything at the other.
        let mut stranger: serde_json::Value = serde_json::from_str(bob.kubeconfig()).unwrap();
        let own: serde_json::Value = serde_json::from_str(ada.kubeconfig()).unwrap();
        stranger["users"] = own["users"].clone();
        stranger["contexts"][0]["context"]["user"] = own["users"][0]["name"].clone();
        let refused = client(&stranger.to_string()).await.list_core_api_versions().await.unwrap_err();
        assert!(matches!(&refused, kube::Error::Api(status) if status.code == 401), "{refused:?}");
        eprintln!("memory: {:?} and {:?} MiB", ada.memory(), bob.memory());
        planes.end().await;
        assert_eq!(ground.processes(), [""; 0]);
    });
}

#[test]
fn a_plane_that_waited_is_there_at_once_and_another_takes_its_turn() {
    run(async {
        let ground = Ground::new();
        let planes = ground.open(3, 1).await;
        // The name comes while the first is started still.
        let begun = Instant::now();
        let ada = planes.lend("ada").await.unwrap();
        let cold = took("one that is being started", begun);
        ground.until("another waits", || ground.ready() == 2).await;
        assert_eq!(planes.count(), Count { running: 2, spare: 1, parked: 0 });
        let begun = Instant::now();
        let bob = planes.lend("bob").await.unwrap();
        let pooled = took("one that waited", begun);
        assert!(pooled * 2 < cold, "{pooled:?} {cold:?}");
        create(&bob, "only-bob").await;
        assert!(!has(&ada, "only-bob").await);
        let begun = Instant::now();
        planes.lend("bob").await.unwrap();
        took("one that is lent", begun);
    });
}

#[test]
fn nothing_is_left_of_what_was_given_back() {
    run(async {
        let ground = Ground::new();
        let planes = ground.open(2, 0).await;
        let bob = planes.lend("bob").await.unwrap();
        let ada = planes.lend("ada").await.unwrap();
        create(&ada, "secret-of-ada").await;
        create(&bob, "of-bob").await;
        assert!(ground.keys().iter().any(|key| key.ends_with("/namespaces/secret-of-ada")));

        planes.give_back("ada").await.unwrap();
        planes.give_back("ada").await.unwrap();
        let (keys, ids) = (ground.keys(), ground.ids());
        assert_eq!(ids.len(), 1, "{ids:?}");
        let others: Vec<_> = keys.iter().filter(|key| !key.starts_with(&format!("/planes/{}/", ids[0]))).collect();
        // Of no plane: how far etcd was compacted.
        assert!(others.iter().all(|key| *key == "compact_rev_key"), "{others:?}");
        assert_eq!(ground.processes(), ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]);
        assert!(has(&bob, "of-bob").await);

        let new = planes.lend("ada").await.unwrap();
        assert!(!has(&new, "secret-of-ada").await);
        let refused = client(ada.kubeconfig()).await.list_core_api_versions().await;
        assert!(refused.is_err(), "the former administrator gets in");
        drop((ada, bob, new));
        planes.end().await;

        // As if the owner had been killed while one was deleted, and while another was made.
        let [first, second] = &ground.ids()[..] else { panic!("{:?}", ground.ids()) };
        let record = |id: &str, change: &dyn Fn(&str) -> String| {
            let path = ground.dir().join("planes").join(id).join("plane.json");
            std::fs::write(&path, change(&std::fs::read_to_string(&path).unwrap())).unwrap();
        };
        record(first, &|text| {
            let mut record: serde_json::Value = serde_json::from_str(text).unwrap();
            record["holder"] = "leaving".into();
            record.to_string()
        });
        record(second, &|text| text[..10].to_owned());
        let _planes = ground.open(2, 0).await;
        assert_eq!(ground.ids(), [""; 0]);
        let keys = ground.keys();
        assert!(keys.iter().all(|key| key == "compact_rev_key"), "{keys:?}");
    });
}

#[test]
fn no_more_than_the_limit_run_and_one_in_use_stays() {
    run(async {
        let ground = Ground::new();
        let planes = ground.open(1, 1).await;
        let ada = planes.lend("ada").await.unwrap();
        create(&ada, "kept").await;
        let full = planes.lend("bob").await.unwrap_err();
        assert!(matches!(full, PlanesError::Full { limit: 1 }), "{full}");
        let server = ada.server().to_owned();
        drop(ada);
        let bob = planes.lend("bob").await.unwrap();
        assert_eq!(planes.count(), Count { running: 1, spare: 0, parked: 1 });
        assert_eq!(ground.processes(), ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]);
        drop(bob);
        let begun = Instant::now();
        let ada = planes.lend("ada").await.unwrap();
        took("one that was parked", begun);
        is_where_it_was(ada.server(), &server);
        assert!(has(&ada, "kept").await);
    });
}

#[test]
fn what_was_killed_is_started_again_with_all_that_was_in_it() {
    run(async {
        let ground = Ground::new();
        let planes = ground.open(1, 0).await;
        let ada = planes.lend("ada").await.unwrap();
        create(&ada, "kept").await;
        let mut server = ada.server().to_owned();
        for program in ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "etcd"] {
            ground.kill(program);
            let begun = Instant::now();
            let again = planes.lend("ada").await.unwrap();
            took(&format!("after {program} was killed"), begun);
            is_where_it_was(again.server(), &server);
            again.server().clone_into(&mut server);
            assert!(has(&again, "kept").await, "{program}");
            let begun = Instant::now();
            runs(&again, &format!("after-{program}")).await;
            // No next kwok waits until the lease of the last one is over, which it is after 40 s.
            assert!(took("a Deployment is available", begun) < Duration::from_secs(39));
        }
        // The node is there again, whoever took it away.
        delete_node(&planes.lend("ada").await.unwrap()).await;
        runs(&planes.lend("ada").await.unwrap(), "after-its-node").await;
        drop(planes);
        assert_eq!(ground.processes(), [""; 0]);
    });
}

#[test]
fn a_directory_has_one_owner_and_is_not_somebody_elses() {
    run(async {
        let ground = Ground::new();
        let begun = Instant::now();
        let planes = ground.open(1, 0).await;
        took("opened", begun);
        let second = Planes::open(ground.spec(1, 0), ground.programs()).await.unwrap_err();
        assert!(matches!(second, PlanesError::Busy(_)), "{second}");
        planes.end().await;
        ground.open(1, 0).await.end().await;

        let other = Ground::new();
        std::fs::write(other.dir().join("thesis.tex"), "").unwrap();
        let refused = Planes::open(other.spec(1, 0), other.programs()).await.unwrap_err();
        assert!(matches!(refused, PlanesError::NotOurs(_)), "{refused}");
    });
}

/// Runs twice: as a test, and within it as an owner that is killed.
#[test]
fn the_next_owner_ends_what_a_killed_one_left_and_has_its_planes() {
    const OWNER: &str = "GRADUS_TEST_OWNER_OF_PLANES";
    const NAME: &str = "planes::the_next_owner_ends_what_a_killed_one_left_and_has_its_planes";
    if let Some(dir) = std::env::var_os(OWNER) {
        return run(async {
            let planes = world::open(dir.as_ref(), 2, 1).await;
            let ada = planes.lend("ada").await.unwrap();
            create(&ada, "kept").await;
            println!("\nlent {}", ada.server());
            std::future::pending::<()>().await;
        });
    }
    run(async {
        let ground = Ground::new();
        let server = world::killed_owner(OWNER, NAME, ground.dir());
        assert!(ground.processes().contains(&"kube-apiserver".to_owned()));
        let begun = Instant::now();
        let planes = ground.open(2, 0).await;
        took("opened after a crash", begun);
        // Nothing is started that nobody asked for.
        assert_eq!(ground.processes(), ["etcd"]);
        let begun = Instant::now();
        let ada = planes.lend("ada").await.unwrap();
        took("known from before", begun);
        is_where_it_was(ada.server(), &server);
        assert!(has(&ada, "kept").await);
        let bob = planes.lend("bob").await.unwrap();
        assert!(!has(&bob, "kept").await);
        planes.end().await;
        assert_eq!(ground.processes(), [""; 0]);
    });
}
