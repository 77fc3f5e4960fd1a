-- Times are in UTC in RFC 3339 format, always with nine digits after the seconds, so that they sort
-- as text. Digests are 64 hexadecimal digits.

-- Builds. Many layer versions refer to one build.
CREATE TABLE builds (
    id INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    package TEXT NOT NULL, -- normalised
    spelling TEXT NOT NULL, -- as the collection spells it
    version TEXT NOT NULL,
    dependencies TEXT NOT NULL CHECK (json_valid(dependencies)), -- ["name==version", …]
    requirements_hash TEXT NOT NULL,
    -- Either both or neither: layers that were made by hand have no lock.
    wheels_hash TEXT,
    lock_digest TEXT CHECK ((lock_digest IS NULL) = (wheels_hash IS NULL)),
    -- NULL for builds that were adopted from another collection.
    content_digest TEXT,
    code_size INTEGER,
    unzipped_size INTEGER,
    license TEXT,
    created_at TEXT, -- NULL for some adopted records
    adopted_at TEXT
        CHECK ((adopted_at IS NULL) = (content_digest IS NOT NULL))
        CHECK ((content_digest IS NULL) = (code_size IS NULL))
        CHECK ((content_digest IS NULL) = (unzipped_size IS NULL))
        CHECK (adopted_at IS NULL OR wheels_hash IS NULL)
        CHECK (adopted_at IS NOT NULL OR created_at IS NOT NULL)
) STRICT;

CREATE INDEX builds_by_content ON builds (content_digest);

CREATE INDEX adopted_builds ON builds (package, target) WHERE content_digest IS NULL;

CREATE INDEX builds_by_adoption ON builds (adopted_at) WHERE adopted_at IS NOT NULL;

-- Gate reports by the content of the layer.
CREATE TABLE gate_reports (
    content_digest TEXT PRIMARY KEY,
    report TEXT NOT NULL CHECK (json_valid(report))
) STRICT, WITHOUT ROWID;

CREATE TABLE latest_builds (
    target TEXT NOT NULL,
    package TEXT NOT NULL,
    build INTEGER NOT NULL REFERENCES builds (id),
    PRIMARY KEY (target, package)
) STRICT, WITHOUT ROWID;

-- Target and package repeat those of the build, for the indexes.
CREATE TABLE layer_versions (
    id INTEGER PRIMARY KEY,
    arn TEXT NOT NULL UNIQUE,
    region TEXT NOT NULL,
    target TEXT NOT NULL,
    package TEXT NOT NULL,
    build INTEGER NOT NULL REFERENCES builds (id),
    created_at TEXT, -- NULL for some adopted records
    status TEXT NOT NULL CHECK (status IN ('latest', 'deprecated', 'deleted')),
    -- Expiry time of a deprecated version, deletion time of a deleted one.
    status_at TEXT CHECK ((status_at IS NULL) = (status = 'latest'))
) STRICT;

-- Each package has at most one latest version for a target in a region.
CREATE UNIQUE INDEX latest_layer_versions ON layer_versions (target, region, package)
WHERE status = 'latest';

CREATE INDEX layer_versions_by_package ON layer_versions (package, target, region);

CREATE INDEX existing_layer_versions_by_target ON layer_versions (target, region)
WHERE status <> 'deleted';

CREATE INDEX existing_layer_versions_by_region ON layer_versions (region)
WHERE status <> 'deleted';

-- Publications that were begun and not yet settled.
CREATE TABLE intents (
    region TEXT NOT NULL,
    layer TEXT NOT NULL,
    build INTEGER NOT NULL REFERENCES builds (id),
    begun_at TEXT NOT NULL,
    attempted_at TEXT, -- NULL if an earlier release began it
    stuck TEXT, -- why its version cannot be listed
    PRIMARY KEY (region, layer)
) STRICT, WITHOUT ROWID;

-- Pointers to latest versions that must be moved. The package is spelled as in the pointer's name.
CREATE TABLE owed_pointers (
    region TEXT NOT NULL,
    target TEXT NOT NULL,
    package TEXT NOT NULL,
    PRIMARY KEY (region, target, package)
) STRICT, WITHOUT ROWID;

-- Layer versions that were withdrawn, and why.
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

-- A package has few latest versions across regions but many versions. If two indexes fit, SQLite
-- chooses the one that was created last.
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

-- Which layers changed. Each layer in a region has one row, in the order of its last change, so
-- that a reader can ask for everything after the last number it knows. AUTOINCREMENT, because
-- numbers must never be reused.
CREATE TABLE changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    package TEXT NOT NULL,
    region TEXT NOT NULL, -- empty if the latest build changed
    UNIQUE (target, package, region)
) STRICT;

CREATE TRIGGER layer_version_added AFTER INSERT ON layer_versions BEGIN
    DELETE FROM changes
    WHERE target = NEW.target AND package = NEW.package AND region = NEW.region;
    INSERT INTO changes (target, package, region) VALUES (NEW.target, NEW.package, NEW.region);
END;

CREATE TRIGGER layer_version_changed AFTER UPDATE ON layer_versions BEGIN
    DELETE FROM changes
    WHERE target = NEW.target AND package = NEW.package AND region = NEW.region;
    INSERT INTO changes (target, package, region) VALUES (NEW.target, NEW.package, NEW.region);
END;

CREATE TRIGGER layer_version_yanked AFTER INSERT ON yanks BEGIN
    UPDATE layer_versions SET status = status WHERE arn = NEW.arn;
END;

CREATE TRIGGER latest_build_added AFTER INSERT ON latest_builds BEGIN
    DELETE FROM changes WHERE target = NEW.target AND package = NEW.package AND region = '';
    INSERT INTO changes (target, package, region) VALUES (NEW.target, NEW.package, '');
END;

CREATE TRIGGER latest_build_changed AFTER UPDATE ON latest_builds BEGIN
    DELETE FROM changes WHERE target = NEW.target AND package = NEW.package AND region = '';
    INSERT INTO changes (target, package, region) VALUES (NEW.target, NEW.package, '');
END;

CREATE TRIGGER gate_report_changed AFTER UPDATE ON gate_reports
WHEN NEW.report <> OLD.report BEGIN
    UPDATE layer_versions SET status = status WHERE id IN (
        SELECT layer_versions.id FROM builds
        CROSS JOIN layer_versions ON layer_versions.package = builds.package
            AND layer_versions.target = builds.target AND layer_versions.build = builds.id
        WHERE builds.content_digest = NEW.content_digest);
END;
