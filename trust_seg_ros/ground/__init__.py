"""From the judged image to the ground: cameras, the ground plane, feet of obstacles, and the caution map."""
