-- The whole schema, made in one transaction when the file is new. Times are milliseconds since the epoch.
-- A change here raises SCHEMA_VERSION in mod.rs, and comes with what makes it of the version before (migrate.rs).

-- What is to be looked at: one entry per pull request, events collapse into it.
CREATE TABLE queue (
    workspace     TEXT    NOT NULL,
    number        INTEGER NOT NULL,
    lane          TEXT    NOT NULL,            -- the learner: two entries of one lane are never worked on at once
    class         INTEGER NOT NULL,            -- 0 a learner acted, 1 a sweep found it, 2 backlog
    hinted_at     INTEGER NOT NULL,            -- the newest hint
    waiting_since INTEGER NOT NULL,            -- the oldest hint that nobody has looked at
    not_before    INTEGER NOT NULL DEFAULT 0,
    failures      INTEGER NOT NULL DEFAULT 0,  -- in a row
    version       INTEGER NOT NULL DEFAULT 1,  -- raised by each hint: tells whether one came while working
    lease_until   INTEGER NOT NULL DEFAULT 0,
    offered       INTEGER NOT NULL DEFAULT 0,  -- what it is to run in environments is among the offers
    awaits_write  INTEGER NOT NULL DEFAULT 0,  -- everything is decided, the forge's limits allow no write now
    PRIMARY KEY (workspace, number)
) STRICT, WITHOUT ROWID;

-- Every head a pull request had, in the order seen; the same head may come back.
CREATE TABLE heads (
    workspace   TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    head        TEXT    NOT NULL,
    seen_at     INTEGER NOT NULL,
    answered_at INTEGER,                       -- a review of this head, or of a later one, stands
    updated_at  INTEGER NOT NULL DEFAULT 0,    -- the forge's time of the pull request when it first showed this head
    PRIMARY KEY (workspace, number, seq)
) STRICT, WITHOUT ROWID;

-- The newest grading of each head.
CREATE TABLE gradings (
    workspace   TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    head        TEXT    NOT NULL,
    digest      TEXT    NOT NULL,              -- of the outcome, see grade/digest.rs
    provisional INTEGER NOT NULL,
    practice    INTEGER NOT NULL,              -- a draft's: no attempt
    quiet       INTEGER NOT NULL,              -- answered by a status, without a review
    passed      INTEGER NOT NULL,              -- every graded task
    human       INTEGER NOT NULL,              -- passed, and a person has to approve
    quarantined INTEGER NOT NULL,              -- provisional by a quarantine alone, or clusters that are all in use
    again_at    INTEGER,                       -- graded again from then on, whatever came of it
    wanted      TEXT,                          -- graded again with this course revision, once it is served
    tries       INTEGER NOT NULL,              -- gradings of this head so far
    first_at    INTEGER NOT NULL,
    graded_at   INTEGER NOT NULL,
    grading     TEXT    NOT NULL,              -- JSON
    PRIMARY KEY (workspace, number, head)
) STRICT, WITHOUT ROWID;

-- What we were about to write on a forge and what became of it.
CREATE TABLE journal (
    id         INTEGER PRIMARY KEY,
    workspace  TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    head       TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('intent', 'posted', 'done', 'superseded', 'failed')),
    review     TEXT    NOT NULL,               -- JSON
    up_to      INTEGER NOT NULL,               -- heads.seq that this review answers, and all before
    provisional INTEGER NOT NULL,              -- a final one of the same head takes its place
    record     TEXT,                           -- JSON: what the marker tells an empty store
    review_id  TEXT,
    retired    INTEGER NOT NULL DEFAULT 0,     -- folded on the forge: a newer review stands
    intent_at  INTEGER NOT NULL,
    settled_at INTEGER,
    UNIQUE (workspace, number, head, digest)
) STRICT;

-- Writes to forges that were begun and whose answer is not known: it was lost, or nobody is left who waited for it.
CREATE TABLE doubts (
    id        INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: another worker may have struck it out
    workspace TEXT    NOT NULL,
    number    INTEGER NOT NULL,
    since     INTEGER NOT NULL
) STRICT;
CREATE INDEX doubts_by_pull ON doubts (workspace, number);

-- What commit status each head is to show, noted before it is written.
CREATE TABLE statuses (
    workspace   TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    head        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    written     INTEGER NOT NULL,              -- the forge took it
    PRIMARY KEY (workspace, number, head)
) STRICT, WITHOUT ROWID;

-- When the last sweep of each workspace began that went through, or the first one that was tried.
CREATE TABLE sweeps (
    workspace TEXT    PRIMARY KEY,
    begun_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which commit each environment is to run (offers.rs).
CREATE TABLE offers (
    workspace  TEXT    NOT NULL,
    learner    TEXT    NOT NULL,
    task       TEXT    NOT NULL,
    offer      TEXT    NOT NULL,               -- JSON
    number     INTEGER NOT NULL DEFAULT 0,     -- the pull request that holds the environment
    pushed_at  INTEGER NOT NULL DEFAULT 0,     -- the forge's time of that push
    offered_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, learner, task)
) STRICT, WITHOUT ROWID;

-- What was seen in environments, by its digest (observations.rs).
CREATE TABLE observations (
    digest  TEXT    PRIMARY KEY,
    seen    TEXT    NOT NULL,                  -- JSON
    seen_at INTEGER NOT NULL                   -- last
) STRICT, WITHOUT ROWID;
CREATE INDEX observations_by_age ON observations (seen_at);

-- What was begun in environments and has to be undone (undos.rs).
CREATE TABLE undos (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: who undoes it may be late
    environment TEXT    NOT NULL,
    undo        TEXT    NOT NULL,              -- JSON
    since       INTEGER NOT NULL
) STRICT;

-- Pull requests as they were when we last came to rest with them: what sweeps compare with.
CREATE TABLE pulls (
    workspace  TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    lane       TEXT    NOT NULL,
    head       TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('open', 'closed')),
    updated_at INTEGER NOT NULL,               -- the forge's
    PRIMARY KEY (workspace, number)
) STRICT, WITHOUT ROWID;

-- The last comment of each pull request that was looked at for commands.
CREATE TABLE cursors (
    workspace TEXT    NOT NULL,
    number    INTEGER NOT NULL,
    comment   INTEGER NOT NULL,
    PRIMARY KEY (workspace, number)
) STRICT, WITHOUT ROWID;

-- The full report of each attempt; what counts is in the gradebook's files.
CREATE TABLE attempts (
    learner TEXT    NOT NULL,
    course  TEXT    NOT NULL,
    task    TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    report  TEXT    NOT NULL,                  -- JSON
    PRIMARY KEY (learner, course, task, attempt)
) STRICT, WITHOUT ROWID;

-- The local forge's own truth: what GitHub's database is to GitHub.
CREATE TABLE local_pulls (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    learner    TEXT    NOT NULL,
    course     TEXT    NOT NULL,
    branch     TEXT    NOT NULL,
    head       TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('open', 'closed')),
    labels     TEXT    NOT NULL DEFAULT '[]',  -- JSON
    opened_at  INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (learner, course, branch)
) STRICT;

CREATE TABLE local_reviews (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    number     INTEGER NOT NULL REFERENCES local_pulls (number),
    marker     TEXT    NOT NULL,               -- names head and outcome: the fence against a second review
    head       TEXT    NOT NULL,
    review     TEXT    NOT NULL,               -- JSON
    retired_at INTEGER,                        -- a newer one stands
    created_at INTEGER NOT NULL,
    UNIQUE (number, marker)
) STRICT;

CREATE TABLE local_comments (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    number     INTEGER NOT NULL REFERENCES local_pulls (number),
    author     TEXT,                           -- null: the grader
    body       TEXT    NOT NULL,
    marker     TEXT,                           -- names what an answer answers: the fence against a second answer
    created_at INTEGER NOT NULL,
    UNIQUE (number, marker)
) STRICT;

CREATE TABLE local_statuses (
    number      INTEGER NOT NULL REFERENCES local_pulls (number),
    head        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (number, head)
) STRICT, WITHOUT ROWID;

-- What an identity wrote on a forge within the last hour (forge/budget.rs).
CREATE TABLE writes (
    id       INTEGER PRIMARY KEY,
    identity TEXT    NOT NULL,
    at       INTEGER NOT NULL,                 -- when it began
    kind     INTEGER NOT NULL,                 -- 0 notifies, 1 content, 2 anything else
    ended    INTEGER NOT NULL                  -- 0: somebody is still writing, or died
) STRICT;
CREATE INDEX writes_by_identity ON writes (identity, at);

-- Until when a forge wants to be left alone by an identity.
CREATE TABLE gates (
    identity TEXT    PRIMARY KEY,
    until    INTEGER NOT NULL,
    strikes  INTEGER NOT NULL                  -- limits in a row whose answers said no time
) STRICT, WITHOUT ROWID;

-- What operators switch while daemons run (flags.rs).
CREATE TABLE flags (
    name   TEXT    PRIMARY KEY,
    set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
