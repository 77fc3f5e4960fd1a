-- Adds withdrawn versions, deletions under way, runs, and the lease.
CREATE TABLE yanks (
    arn TEXT PRIMARY KEY REFERENCES layer_versions (arn),
    reason TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Deletions that have begun but not ended. Their layer versions are recorded as deleted.
CREATE TABLE deletions (
    arn TEXT PRIMARY KEY REFERENCES layer_versions (arn)
) STRICT, WITHOUT ROWID;

CREATE INDEX deprecated_layer_versions ON layer_versions (status_at)
WHERE status = 'deprecated';

CREATE INDEX latest_layer_versions_by_package ON layer_versions (package, target, region)
WHERE status = 'latest';

CREATE INDEX layer_versions_by_time ON layer_versions (created_at);

-- Reports of runs.
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    report TEXT NOT NULL CHECK (json_valid(report))
) STRICT;

-- Who works on the collection: one row or none.
CREATE TABLE lease (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    host TEXT NOT NULL,
    process INTEGER NOT NULL,
    until TEXT NOT NULL
) STRICT;
