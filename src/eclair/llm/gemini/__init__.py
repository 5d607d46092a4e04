"""Engine behind Google's Gemini API."""
