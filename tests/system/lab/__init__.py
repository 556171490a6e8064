"""Network namespaces, bridges, routers, kernel hosts and captures for the system tests."""
