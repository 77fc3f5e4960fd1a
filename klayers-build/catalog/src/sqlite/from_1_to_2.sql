-- Layers that were made by hand have no lock, so a build may lack both wheels_hash and lock_digest.
CREATE TABLE new_builds (
    id INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    package TEXT NOT NULL,
    spelling TEXT NOT NULL,
    version TEXT NOT NULL,
    dependencies TEXT NOT NULL CHECK (json_valid(dependencies)),
    requirements_hash TEXT NOT NULL,
    wheels_hash TEXT,
    lock_digest TEXT CHECK ((lock_digest IS NULL) = (wheels_hash IS NULL)),
    content_digest TEXT NOT NULL,
    code_size INTEGER NOT NULL,
    unzipped_size INTEGER NOT NULL,
    license TEXT,
    created_at TEXT NOT NULL
) STRICT;

INSERT INTO new_builds SELECT * FROM builds;

DROP TABLE builds;

ALTER TABLE new_builds RENAME TO builds;

CREATE INDEX builds_by_content ON builds (content_digest);

CREATE TABLE gate_reports (
    content_digest TEXT PRIMARY KEY,
    report TEXT NOT NULL CHECK (json_valid(report))
) STRICT, WITHOUT ROWID;
