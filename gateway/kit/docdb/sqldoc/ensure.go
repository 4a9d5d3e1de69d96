package sqldoc

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/wire"
)

// The engine's own tables: how far a collection's documents are migrated, and which columns and index tables (parts) hold
// what the documents say. A part is entered when it is complete, so that an interrupted start does it again.
const catalogue = `
CREATE TABLE IF NOT EXISTS "docdb.collections"(name TEXT PRIMARY KEY, version INT NOT NULL, migrated INT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS "docdb.parts"(collection TEXT, part TEXT, PRIMARY KEY(collection, part)) WITHOUT ROWID`

// batch is how many documents a migration or the filling of an index takes in one transaction.
const batch = 1000

// Ensure implements docdb.DB.
func (db *DB) Ensure(ctx context.Context, schemas ...*docdb.Schema) error {
	for _, s := range schemas {
		if err := db.ensure(ctx, newTable(s)); err != nil {
			return fmt.Errorf("sqldoc: ensure %s: %w", s.Name, err)
		}
	}
	return nil
}

func (db *DB) ensure(ctx context.Context, t *table) error {
	var version, migrated int64
	err := db.write(ctx, func(c *conn) (err error) {
		version, migrated, err = t.create(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	for version < t.latest() {
		err := db.write(ctx, func(c *conn) (err error) {
			version, migrated, err = t.migrate(ctx, c, version, migrated)
			return err
		})
		if err != nil {
			return err
		}
	}
	var missing []string
	err = db.write(ctx, func(c *conn) (err error) {
		missing, err = t.reshape(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	for last := int64(0); len(missing) > 0 && last >= 0; {
		err := db.write(ctx, func(c *conn) (err error) {
			last, err = t.fill(ctx, c, missing, last)
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := db.write(ctx, func(c *conn) error { return t.buildIndexes(ctx, c) }); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.tables[t.schema] = t
	return nil
}

// latest is the schema version that the program's documents have.
func (t *table) latest() int64 {
	v := 0
	for _, m := range t.schema.Migrations {
		v = max(v, m.Version)
	}
	return int64(v)
}

// create makes the table of a new collection. It answers the version that all documents have, and the rowid up to which they
// have the next one.
func (t *table) create(ctx context.Context, c *conn) (version, migrated int64, err error) {
	for _, sql := range append(strings.Split(catalogue, ";"),
		"CREATE TABLE IF NOT EXISTS "+t.name+"(id TEXT UNIQUE, rev INT, doc BLOB)") {
		if _, err := c.exec(ctx, sql); err != nil {
			return 0, 0, err
		}
	}
	if _, err := c.exec(ctx, `INSERT INTO "docdb.collections" VALUES (?, ?, 0) ON CONFLICT DO NOTHING`, t.schema.Name, t.latest()); err != nil {
		return 0, 0, err
	}
	err = c.query(ctx, `SELECT version, migrated FROM "docdb.collections" WHERE name = ?`, []driver.Value{t.schema.Name}, func(row []driver.Value) error {
		version, migrated = row[0].(int64), row[1].(int64)
		return nil
	})
	return version, migrated, err
}

// migrate takes the next batch of documents from version to the latest one.
func (t *table) migrate(ctx context.Context, c *conn, version, migrated int64) (newVersion, newMigrated int64, err error) {
	// What the indexes hold is worked out anew from the migrated documents.
	if _, err := c.exec(ctx, `DELETE FROM "docdb.parts" WHERE collection = ?`, t.schema.Name); err != nil {
		return 0, 0, err
	}
	rows, err := t.batch(ctx, c, migrated)
	if err != nil {
		return 0, 0, err
	}
	for _, r := range rows {
		data, rev, err := t.migrateOne(r.doc, int(version))
		if err != nil {
			return 0, 0, err
		}
		if _, err := c.exec(ctx, "UPDATE "+t.name+" SET rev = ?, doc = ? WHERE rowid = ?", rev, data, r.rowID); err != nil {
			return 0, 0, err
		}
		migrated = r.rowID
	}
	if len(rows) < batch {
		version, migrated = t.latest(), 0
	}
	_, err = c.exec(ctx, `UPDATE "docdb.collections" SET version = ?, migrated = ? WHERE name = ?`, version, migrated, t.schema.Name)
	return version, migrated, err
}

func (t *table) migrateOne(data []byte, version int) (migrated []byte, rev int64, err error) {
	var stored map[string]any
	if err := wire.Unmarshal(data, &stored); err != nil {
		return nil, 0, err
	}
	fields := plain(stored).(map[string]any)
	if err := t.schema.MigrateDoc(fields, version); err != nil {
		return nil, 0, err
	}
	if migrated, err = wire.Marshal(fields); err != nil {
		return nil, 0, err
	}
	doc, err := t.decode(migrated) // what the program cannot read must not be stored
	if err != nil {
		return nil, 0, err
	}
	migrated, err = encode(doc)
	return migrated, doc.Meta().Rev, err
}

// plain gives maps of names the type that migrations see in the other engine too. Maps with other keys are structs whose
// fields are numbered, which migrations leave alone.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = plain(e)
		}
	case []any:
		for i, e := range v {
			v[i] = plain(e)
		}
	case map[any]any:
		named := make(map[string]any, len(v))
		for k, e := range v {
			name, ok := k.(string)
			if !ok {
				return v
			}
			named[name] = plain(e)
		}
		return named
	}
	return v
}

// batch reads the documents behind a rowid.
func (t *table) batch(ctx context.Context, c *conn, after int64) (rows []stored, err error) {
	err = c.query(ctx, "SELECT rowid, doc FROM "+t.name+" WHERE rowid > ? ORDER BY rowid LIMIT ?", []driver.Value{after, int64(batch)},
		func(row []driver.Value) error {
			rows = append(rows, stored{rowID: row[0].(int64), doc: row[1].([]byte)})
			return nil
		})
	return rows, err
}

// reshape drops the indexes that are no longer declared or are out of date, makes the columns and index tables that are
// missing, and answers the parts to be filled.
func (t *table) reshape(ctx context.Context, c *conn) (missing []string, err error) {
	complete, err := c.strings(ctx, `SELECT part FROM "docdb.parts" WHERE collection = ?`, t.schema.Name)
	if err != nil {
		return nil, err
	}
	var wanted []string
	for _, f := range t.columns {
		wanted = append(wanted, column(f))
	}
	for _, m := range t.multis {
		wanted = append(wanted, m.name)
	}
	for _, part := range complete {
		if !slices.Contains(wanted, part) {
			if _, err := c.exec(ctx, `DELETE FROM "docdb.parts" WHERE collection = ? AND part = ?`, t.schema.Name, part); err != nil {
				return nil, err
			}
		}
	}
	if err := t.dropIndexes(ctx, c, complete); err != nil {
		return nil, err
	}
	present, err := c.strings(ctx, "SELECT name FROM pragma_table_info(?)", t.schema.Name)
	if err != nil {
		return nil, err
	}
	for _, f := range t.columns {
		if !slices.Contains(present, "f_"+f) {
			if _, err := c.exec(ctx, "ALTER TABLE "+t.name+" ADD COLUMN "+column(f)); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range t.multis {
		if _, err := c.exec(ctx, m.creation()); err != nil {
			return nil, err
		}
	}
	for _, part := range wanted {
		if !slices.Contains(complete, part) {
			missing = append(missing, part)
		}
	}
	return missing, nil
}

// dropIndexes drops what is not declared any more, and what stands on parts that are not complete.
func (t *table) dropIndexes(ctx context.Context, c *conn, complete []string) error {
	keep := map[string]string{} // by name, the kind it is
	for i := range t.schema.Indexes {
		ix := &t.schema.Indexes[i]
		parts, kind := []string{indexName(t.schema, ix)}, "table"
		if !t.schema.Multi(ix.Fields[0]) {
			parts, kind = nil, "index"
			for _, f := range ix.Fields {
				parts = append(parts, column(f))
			}
		}
		if !slices.ContainsFunc(parts, func(p string) bool { return !slices.Contains(complete, p) }) {
			keep[t.schema.Name+"."+ix.Name] = kind
		}
	}
	for _, kind := range []string{"index", "table"} {
		names, err := c.strings(ctx, "SELECT name FROM sqlite_master WHERE type = ? AND name GLOB ?", kind, t.schema.Name+".*")
		if err != nil {
			return err
		}
		for _, name := range names {
			if keep[name] == kind {
				continue
			}
			if _, err := c.exec(ctx, "DROP "+kind+" "+quote(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill works out the missing parts for the documents behind a rowid. It answers the last one's, or −1 when it has seen all.
func (t *table) fill(ctx context.Context, c *conn, missing []string, after int64) (last int64, err error) {
	rows, err := t.batch(ctx, c, after)
	if err != nil {
		return 0, err
	}
	entries := make([][][]driver.Value, len(t.multis))
	for _, r := range rows {
		doc, err := t.decode(r.doc)
		if err != nil {
			return 0, err
		}
		var set []string
		var args []driver.Value
		for _, f := range t.columns {
			if slices.Contains(missing, column(f)) {
				set, args = append(set, column(f)+" = ?"), append(args, t.schema.Value(doc, f))
			}
		}
		if len(set) > 0 {
			if _, err := c.exec(ctx, "UPDATE "+t.name+" SET "+strings.Join(set, ", ")+" WHERE rowid = ?", append(args, r.rowID)...); err != nil {
				return 0, err
			}
		}
		for i, m := range t.multis {
			if slices.Contains(missing, m.name) {
				entries[i] = append(entries[i], m.entries(t.schema, doc)...)
			}
		}
		last = r.rowID
	}
	for i, m := range t.multis {
		if err := m.add(ctx, c, entries[i]); err != nil {
			return 0, err
		}
	}
	if len(rows) == batch {
		return last, nil
	}
	for _, part := range missing {
		if _, err := c.exec(ctx, `INSERT INTO "docdb.parts" VALUES (?, ?)`, t.schema.Name, part); err != nil {
			return 0, err
		}
	}
	return -1, nil
}

// buildIndexes creates the indexes over columns.
func (t *table) buildIndexes(ctx context.Context, c *conn) error {
	for i := range t.schema.Indexes {
		ix := &t.schema.Indexes[i]
		if t.schema.Multi(ix.Fields[0]) {
			continue
		}
		var columns strings.Builder
		for _, f := range ix.Fields {
			columns.WriteString(column(f) + ", ")
		}
		sql := "CREATE INDEX IF NOT EXISTS " + indexName(t.schema, ix) + " ON " + t.name + "(" + columns.String() + "id)"
		if _, err := c.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
