package api

// routes registers every operation, in the order of the documentation.
func (s *Server) routes() {
	s.registerAuth()
	s.registerStore()
	s.registerProgram()
	s.registerMember()
	s.registerGuide()
	s.registerIntake()
	s.registerPOSQueries()
	s.registerCommission()
	s.registerRunning()
	s.registerDeadLetters()
}
