# tests of src/oauth
