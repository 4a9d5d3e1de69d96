package api

// routes registers every operation, in the order of the documentation.
func (s *Server) routes() {
	s.registerAuth()
	s.registerGuide()
	s.registerIntake()
	s.registerCommission()
	s.registerRunning()
	s.registerDeadLetters()
}
