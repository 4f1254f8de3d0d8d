"""Everything that knows rclpy: the lifecycle node, its parameters, and messages in and out."""
