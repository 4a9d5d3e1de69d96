// Package geo knows about places: coordinates and their datums, and which stores are nearest to a point.
package geo
