-- Which layers changed. Each layer in a region has one row, in the order of its last change, so
-- that a reader can ask for everything after the last number it knows. AUTOINCREMENT, because
-- numbers must never be reused.
CREATE TABLE changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    package TEXT NOT NULL,
    region TEXT NOT NULL, -- empty where the latest build is another
    UNIQUE (target, package, region)
) STRICT;

-- Record every existing entry as if it had just been added.
INSERT INTO changes (target, package, region)
SELECT DISTINCT target, package, region FROM layer_versions;
INSERT INTO changes (target, package, region) SELECT target, package, '' FROM latest_builds;

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
