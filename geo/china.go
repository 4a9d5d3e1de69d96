package geo

// china is a coarse outline of where maps are shifted, as latitude and longitude: Natural Earth's 1:50m outlines (public
// domain) of the mainland with Hainan, Hong Kong and Macao, and of Taiwan, widened by half a degree and thinned out. Every
// point of those outlines lies inside; Seoul, Hanoi, Vladivostok, Almaty, Ulaanbaatar and Kathmandu lie outside. (The usual
// test by a bounding box shifts all of these, and half of India.)
var china = [][][2]float64{
	{
		{39.4, 73.1}, {40.9, 74.6}, {40.9, 76.2}, {42.5, 79.7}, {43.5, 80.1}, {45.2, 79.5}, {45.8, 81.9}, {47.6, 82.8},
		{47.5, 85.1}, {48.7, 85.4}, {49.6, 86.8}, {49.6, 88}, {48.1, 90.6}, {46.9, 91.5}, {45.7, 91.3}, {44.7, 95.6},
		{43.3, 96.7}, {43, 101.6}, {42.1, 104.9}, {43.2, 110.1}, {43.9, 111.1}, {44.6, 111}, {45.5, 111.7}, {45.3, 113.5},
		{47.2, 118.7}, {47.2, 115.8}, {48.3, 115}, {50.2, 116.4}, {50.5, 118.7}, {52.1, 120}, {53, 119.6}, {53.8, 120.9},
		{54, 123.6}, {53.5, 125.8}, {50.1, 128.1}, {49.3, 130.8}, {48.2, 131.3}, {48.8, 134.7}, {47.8, 135.2}, {44.8, 133.4},
		{44.5, 131.6}, {43.2, 131.7}, {42.2, 130.9}, {40.9, 128.3}, {41.1, 126.9}, {38.2, 121.1}, {37.4, 123.2}, {36.6, 122.8},
		{35, 119.9}, {32.1, 122.3}, {30.6, 122.3}, {29.9, 122.9}, {28.1, 122.1}, {26.7, 120.6}, {25.1, 120.2}, {22.5, 116.8},
		{20.9, 111}, {19.5, 111.5}, {17.7, 109.7}, {18.8, 108.1}, {20.9, 109.2}, {21.2, 107.1}, {22.4, 106}, {22.1, 102.6},
		{20.7, 101.8}, {21.7, 98.9}, {23.6, 98.2}, {23.8, 97.1}, {25, 97.1}, {26.5, 98.2}, {27.8, 97.6}, {28.7, 94.6},
		{27.4, 92.6}, {27.7, 90}, {26.8, 88.8}, {27.4, 88.3}, {27.4, 85.8}, {29.9, 81.7}, {29.6, 80.9}, {30.9, 78.5},
		{32.5, 77.9}, {33.1, 78.5}, {34.1, 78.2}, {36.8, 74}, {37.8, 74.4}, {38.3, 73.4},
	},
	{{23.4, 119.6}, {25.4, 120.7}, {25.4, 122.3}, {21.5, 121.1}, {21.6, 120.4}},
}

// inChina reports whether a point lies inside the outline: whether a ray to the north crosses it an odd number of times.
func inChina(p Point) bool {
	if p.Lng < 73 || p.Lng > 135.3 || p.Lat < 17 || p.Lat > 54.5 {
		return false
	}
	inside := false
	for _, ring := range china {
		a := ring[len(ring)-1]
		for _, b := range ring {
			if (a[1] > p.Lng) != (b[1] > p.Lng) && p.Lat < a[0]+(p.Lng-a[1])/(b[1]-a[1])*(b[0]-a[0]) {
				inside = !inside
			}
			a = b
		}
	}
	return inside
}
