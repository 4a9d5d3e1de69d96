// Package geo knows about places: coordinates and their datums, service areas, and which stores are nearest to a point.
//
// # Words
//
//   - A datum is the frame that coordinates are measured in: WGS-84 (GPS), GCJ-02 (maps in mainland China) or BD-09 (Baidu). Input
//     names its datum and is converted once, where it enters; everything inside is WGS-84. Outside China nothing is shifted.
//   - The distance between two points is the haversine distance on a sphere of mean radius 6,371,008.8 m.
//   - Nearest means smallest distance, ties by store id. The answer is exact: what comparing all stores would give, for any point on
//     earth, by the formula as computed with float64.
//   - A service area is a circle or a polygon that a store serves; a store without one serves everybody.
//
// # The index
//
// Index holds, for each brand, a tree of cells over the faces of a cube around the earth. A page at its end knows the few stores
// that are nearest to some point of its cell (its contenders), and each of its 64 subcells which of them are nearest to some point
// of the subcell, three on average. So finding the nearest open store is a walk down the tree and three comparisons of chords; its
// cost hardly depends on the number of stores. More than one store, closed ones, or those of one ownership, are found by a search of
// the tree by where stores lie, nearest cells first.
//
// Everything rests on one observation. Of two stores s and t, as unit vectors from the earth's centre, t is nearer to a point p if
// p·t > p·s, that is p·(t−s) > 0: this is linear in p. A cell of the cube is all combinations, with weights ≥ 0, of its four
// corners. So t is nearer than s everywhere in a cell if it is at the corners, and then s is no contender. No distance, no projection
// and no special case at poles, at the antimeridian or for stores a world away is needed.
//
// Trees are never changed. A change makes a new one that shares nearly everything with the one before, and is published by one
// atomic store; readers take no lock and see a change as soon as Upsert returns.
package geo
