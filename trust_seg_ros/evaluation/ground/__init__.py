"""What a planner gets: feet of obstacles, hazard cells and stops before unknown objects, against exact ground truth."""
