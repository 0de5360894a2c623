"""Events and cases (事件、案件): how an alarm becomes work for somebody, and every step of it kept."""
