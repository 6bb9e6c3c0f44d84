"""S3 whose versions stay: object lock that is kept, and writes that only one of several makes."""
